"""Sample rows for every state of the widget, each shown at a URL of its own for design and tests.

Pure: the rows are never saved; `fragments` renders them like real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gpu_worker.contract import Category, GarmentStatus, Hint, PhotoStatus, Reason, TryOnStatus
from server.models import Garment, Photo, TryOn, now
from server.rendering import fragments
from server.rendering.fragments import Scene
from server.rendering.words.widget import PageCode

LONG_TITLE = (
    "Donaudampfschifffahrtskapitänsmütze mit handgesticktem Sonnenuntergang und "
    "<b>Wellen</b> aus dem Frühjahr"
)


@dataclass(frozen=True, slots=True)
class SampleLinks:
    """Makes URLs for sample rows, whose keys are names of files in widget/static/sample."""

    base: str

    def presign_get(self, key: str) -> str:
        return f"{self.base}sample/{key}"


@dataclass(frozen=True, slots=True)
class State:
    """A state of the document. `title`: of the garment; `pictures`: how many are in the strip;
    `over`: which notice or dialog is open, `yes` for none."""

    card: Callable[[SampleLinks], str]
    title: str = "Sunset tee"
    pictures: int = 0
    over: str = "yes"


def garment(title: str = "Sunset tee") -> Garment:
    return Garment(
        id="gar_sample",
        sku="TEE-SUNSET",
        title=title,
        category=Category.UPPER,
        status=GarmentStatus.READY,
        cutout_key="cutout.png",
    )


def photo(status: PhotoStatus = PhotoStatus.READY, *reasons: Reason, hints: int = 0) -> Photo:
    several = Reason.SEVERAL_PEOPLE in reasons
    boxes = [[0.05, 0.06, 0.24, 0.9], [0.37, 0.05, 0.26, 0.92], [0.69, 0.04, 0.27, 0.93]]
    return Photo(
        id="pho_sample",
        status=status,
        reasons=[reason.value for reason in reasons],
        hints=[Hint.DIM.value, Hint.CROP_ENDS_AT_WAIST.value][:hints],
        people=boxes if several else [],
        clean_key="people.jpg" if several else "photo.jpg",
        version=1,
        expires_at=now() + timedelta(hours=23),
    )


def try_on(status: TryOnStatus, **values: object) -> TryOn:
    made = TryOn(
        id="try_sample",
        status=status,
        photo_id="pho_sample",
        step=0,
        steps=0,
        version=1,
        is_preview=False,
        retryable=False,
        created_at=now() - timedelta(minutes=3),
        finished_at=now() - timedelta(minutes=2),
        expires_at=now() + timedelta(hours=23),
    )
    for name, value in values.items():
        setattr(made, name, value)
    return made


def _in(seconds: float) -> datetime:
    return now() + timedelta(seconds=seconds)


def _with_partial() -> TryOn:
    """A running try-on with a partial picture, at a lower tier because of load."""
    shown = {"partial_key": "result.jpg", "partial_step": 8, "tier": "steps_20"}
    return try_on(TryOnStatus.RUNNING, step=11, steps=20, ready_at=_in(6), **shown)


def picture(**values: object) -> TryOn:
    shown = {"result_key": "result.jpg", "width": 720, "height": 960, "is_preview": True}
    return try_on(TryOnStatus.SUCCEEDED, **{**shown, **values})


def _photo(status: PhotoStatus, *reasons: Reason, hints: int = 0) -> Callable[[SampleLinks], str]:
    return lambda links: fragments.photo_card(photo(status, *reasons, hints=hints), links)


def _try_on(make: Callable[[], TryOn], title: str = "Sunset tee") -> Callable[[SampleLinks], str]:
    return lambda links: fragments.try_on_card(Scene(make(), photo(), garment(title)), links)


def _start(_links: SampleLinks) -> str:
    return fragments.start("Lumen & Co", 86_400)


def _again(links: SampleLinks) -> str:
    return fragments.again(photo(), links)


def _template(name: str) -> Callable[[SampleLinks], str]:
    return lambda _links: fragments.render(f"{name}.html", sent=0.4)


def _problem(code: str, retry: str | None) -> Callable[[SampleLinks], str]:
    return lambda _links: fragments.problem(code, retry=retry)


def _failed(reason: Reason, *, retryable: bool = False) -> Callable[[SampleLinks], str]:
    values = {"error_code": reason.value, "retryable": retryable}
    return _try_on(lambda: try_on(TryOnStatus.FAILED, **values))


STATES: dict[str, State] = {
    "start": State(_start),
    "again": State(_again, pictures=3),
    "sending": State(_template("sending")),
    "camera": State(_template("camera")),
    "checking": State(_photo(PhotoStatus.CHECKING)),
    "ready": State(_photo(PhotoStatus.READY)),
    "coach": State(_photo(PhotoStatus.READY, hints=2)),
    "several": State(_photo(PhotoStatus.REJECTED, Reason.SEVERAL_PEOPLE)),
    "rejected": State(_photo(PhotoStatus.REJECTED, Reason.IMPLAUSIBLE_POSE)),
    "waiting": State(
        _try_on(lambda: try_on(TryOnStatus.QUEUED, position=4, ready_at=_in(24))), pictures=1
    ),
    "drawing": State(
        _try_on(lambda: try_on(TryOnStatus.RUNNING, step=11, steps=30, ready_at=_in(6))), pictures=1
    ),
    "partial": State(_try_on(_with_partial), pictures=1),
    "result": State(_try_on(picture), pictures=1),
    "full": State(_try_on(picture), pictures=14),
    "failed": State(_failed(Reason.WORKER_LOST, retryable=True)),
    "refused": State(_failed(Reason.WOULD_NEED_BARE_LIMBS)),
    "cancelled": State(_try_on(lambda: try_on(TryOnStatus.CANCELLED))),
    "expired": State(_try_on(lambda: try_on(TryOnStatus.EXPIRED, retryable=True))),
    "problem": State(_problem(PageCode.UPLOAD_FAILED, "send-again")),
    "ended": State(_problem(PageCode.SESSION_ENDED, "restart")),
    "missing": State(_problem(PageCode.GARMENT_MISSING, None)),
    "gone": State(lambda _links: fragments.gone("try_sample", 2)),
    "deleted": State(lambda _links: fragments.deleted()),
    "long": State(_try_on(picture, LONG_TITLE), title=LONG_TITLE, pictures=3),
}
STATES |= {
    "offline": replace(STATES["waiting"], over="offline"),
    "reconnecting": replace(STATES["drawing"], over="reconnecting"),
    "session": replace(STATES["result"], over="session"),
    "ask-delete": replace(STATES["result"], over="ask-delete"),
}


def strip(count: int, links: SampleLinks) -> str:
    scenes = [
        Scene(picture(id=f"try_sample_{number}"), photo(), garment()) for number in range(count)
    ]
    return fragments.history(scenes, links)
