"""What a shopper sees of her rows, as HTML: the same for the widget's answers and the live socket.

Owns the templates' inputs. Knows no request and no socket; changes nothing. A pushed fragment
carries its id, `data-version` and `hx-swap-oob`: the page takes it only where an element of
that id shows an older version, so sending one twice is harmless.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import select
from sqlalchemy.orm import Session

from gpu_worker.contract import LADDER, PhotoStatus, Reason, TryOnStatus
from server.infra import reasons
from server.infra.errors import Code
from server.models import Garment, Photo, TryOn, now

CONSENT_VERSION = "2026-11"  # changes with the words of the consent, and asks everybody again
HISTORY_LENGTH = 24
TEMPLATES = Path(__file__).parents[2] / "widget" / "templates"


class Links(Protocol):
    """Where a browser finds an object: `storage.Store`, or samples."""

    def presign_get(self, key: str) -> str: ...


# --- words that need counting --------------------------------------------------------------------


def roughly(seconds: float) -> str:
    """A span as one says it: `a few seconds`, `about 20 seconds`, `about 3 minutes`."""
    if seconds <= 5:
        return _("a few seconds")
    if seconds < 90:
        rounded = round(seconds) if seconds < 20 else 5 * round(seconds / 5)
        return ngettext("about %(num)s second", "about %(num)s seconds", rounded)
    return ngettext("about %(num)s minute", "about %(num)s minutes", round(seconds / 60))


def place(position: int | None) -> str:
    """Where she stands; position 1 is the next to be drawn."""
    if position is None:
        return _("Your picture is in line")
    if position <= 1:
        return _("You're next")
    return ngettext("%(num)s person ahead of you", "%(num)s people ahead of you", position - 1)


def ago(then: datetime) -> str:
    seconds = max(0.0, (now() - then).total_seconds())
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        return ngettext("%(num)s minute ago", "%(num)s minutes ago", int(seconds // 60))
    return ngettext("%(num)s hour ago", "%(num)s hours ago", int(seconds // 3600))


def span(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return ngettext("%(num)s minute", "%(num)s minutes", minutes)
    return ngettext("%(num)s hour", "%(num)s hours", round(minutes / 60))


def left(until: datetime) -> str:
    """How long something is still kept."""
    return span((until - now()).total_seconds())


def _(text: str) -> str:
    """Every word the widget says passes here or through the templates' `_`: the one place where
    a catalogue of another language will be asked."""
    return text


def ngettext(one: str, many: str, num: int) -> str:
    return (one if num == 1 else many) % {"num": num}


# --- problems ------------------------------------------------------------------------------------

# What the page itself or a door of the server can run into; Reason's codes are in `infra/reasons`.
PROBLEMS: dict[str, tuple[str, str]] = {
    "upload_failed": (
        _("Your photo did not get through."),
        _("Check your connection and try again."),
    ),
    "upload_expired": (_("Sending your photo took too long."), _("Try again.")),
    "unreadable_photo": (
        _("Your browser can't open this picture."),
        _("Choose a JPEG, PNG or WebP."),
    ),
    "camera_refused": (
        _("We may not use your camera."),
        _("Allow it in your browser's settings, or choose a photo instead."),
    ),
    "camera_missing": (_("We can't find a camera."), _("Choose a photo instead.")),
    "expired": (_("Your picture took too long."), _("Try again in a moment.")),
    "gone": (_("This picture has been deleted."), _("You can make a new one.")),
    "garment_missing": (
        _("This item can't be tried on yet."),
        _("Close this and choose another item."),
    ),
    "garment_not_ready": (
        _("This item is still being made ready."),
        _("Try again in a few seconds."),
    ),
    "session_ended": (
        _("This fitting room was open for a while and has closed."),
        _("Open it again to go on."),
    ),
    "queue_full": (_("Many people are trying things on right now."), _("Try again in a minute.")),
    "too_many_try_ons": (
        _("Several of your pictures are still being made."),
        _("Wait for one of them, then try again."),
    ),
    "too_many_photos": (
        _("Several of your photos are still being checked."),
        _("Wait a few seconds, then try again."),
    ),
    "rate_limited": (_("That was a lot at once."), _("Wait a minute, then try again.")),
    "unavailable": (_("The fitting room is not available right now."), _("Try again in a moment.")),
    "internal": (_("Something went wrong on our side."), _("Try again in a moment.")),
}

SESSION_CODES = frozenset(
    {Code.NOT_AUTHENTICATED, Code.BAD_TOKEN, Code.BAD_BOOT_TOKEN, Code.NO_SHOPPER}
)
GARMENT_CODES = frozenset({Code.GARMENT_NOT_FOUND, Code.GARMENT_REJECTED})


def words(code: str) -> tuple[str, str]:
    """(what is wrong, what to do) for any code that a shopper can meet."""
    if code in SESSION_CODES:
        code = "session_ended"
    if code in GARMENT_CODES:
        code = "garment_missing"
    if code in PROBLEMS:
        return PROBLEMS[code]
    if code in Reason.__members__.values():
        found = reasons.sentences(code)
        return found.wrong, found.advice
    return PROBLEMS["internal"]


def hint_words(hint: str) -> str:
    """What could be better in a photo that is good enough."""
    return reasons.hint(hint)


def is_lower(tier: str | None) -> bool:
    """Whether a picture is drawn on a lower rung than the engine's best, because many wait."""
    return tier not in (None, LADDER[0].name, "preview")


# --- rendering -----------------------------------------------------------------------------------


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    environment.globals.update(
        roughly=roughly,
        place=place,
        ago=ago,
        left=left,
        words=words,
        hint_words=hint_words,
        is_lower=is_lower,
        oob=False,
    )
    return environment


_templates = _environment()


def render(template: str, **context: Any) -> str:
    return _templates.get_template(template).render(**context)


@dataclass(frozen=True, slots=True)
class Scene:
    """One try-on with what its card shows. The garment may be gone since."""

    try_on: TryOn
    photo: Photo | None
    garment: Garment | None


def start(shop: str, kept_s: float, *, agreed: bool = False) -> str:
    """Consent and photo in one view. `kept_s`: how long a photo is kept."""
    return render("start.html", shop=shop, kept=span(kept_s), agreed=agreed)


def again(photo: Photo, links: Links) -> str:
    """She came back and her photo is still here."""
    url = links.presign_get(photo.clean_key)
    return render("again.html", photo=photo, photo_url=url, nonce=secrets.token_hex(4))


def deleted() -> str:
    return render("deleted.html")


def photo_card(photo: Photo, links: Links, *, oob: bool = False) -> str:
    """Checking, ready, several people or refused."""
    shows_photo = photo.status is PhotoStatus.READY or Reason.SEVERAL_PEOPLE in photo.reasons
    url = links.presign_get(photo.clean_key) if shows_photo else None
    return render("photo.html", photo=photo, photo_url=url, oob=oob)


def try_on_card(scene: Scene, links: Links, *, oob: bool = False) -> str:
    """Waiting, result, failed or deleted."""
    row, photo, garment = scene.try_on, scene.photo, scene.garment
    return render(
        "try_on.html",
        try_on=row,
        garment=garment,
        photo_url=links.presign_get(photo.clean_key) if photo else None,
        cutout_url=links.presign_get(garment.cutout_key) if garment else None,
        result_url=links.presign_get(row.result_key) if row.result_key else None,
        rough_url=_rough_url(row, links),
        oob=oob,
    )


def _rough_url(row: TryOn, links: Links) -> str | None:
    return links.presign_get(row.preview_key) if row.preview_key else None


def rough(row: TryOn, links: Links, *, oob: bool = False) -> str:
    """The picture half done, where there is one yet."""
    return render("rough.html", try_on=row, rough_url=_rough_url(row, links), oob=oob)


def progress(row: TryOn, *, oob: bool = False) -> str:
    """The part of a waiting card that moves: her photo beside it must not be loaded again."""
    return render("progress.html", try_on=row, oob=oob)


def history(scenes: Sequence[Scene], links: Links, *, oob: bool = False) -> str:
    """Her pictures that are still kept, newest first."""
    pictures = [
        {"scene": scene, "url": links.presign_get(scene.try_on.result_key)}
        for scene in scenes
        if scene.try_on.result_key
    ]
    version = round(now().timestamp() * 1000)  # what was read last is right
    return render("history.html", pictures=pictures, version=version, oob=oob)


def problem(code: str, *, retry: str | None = None) -> str:
    """A card that says what is wrong and what to do. `retry`: what the button does, an action of
    main.js."""
    return render("problem.html", code=code, retry=retry)


# --- rows ----------------------------------------------------------------------------------------


def scene_of(session: Session, row: TryOn) -> Scene:
    photo = session.get(Photo, row.photo_id) if row.photo_id else None
    garment = session.get(Garment, row.garment_id) if row.garment_id else None
    return Scene(row, photo, garment)


def scenes_of(session: Session, shopper_id: str) -> list[Scene]:
    """A shopper's pictures that are still kept, newest first."""
    query = (
        select(TryOn)
        .where(
            TryOn.shopper_id == shopper_id,
            TryOn.status == TryOnStatus.SUCCEEDED,
            TryOn.result_key.is_not(None),
            TryOn.deleted_at.is_(None),
            TryOn.expires_at > now(),
        )
        .order_by(TryOn.created_at.desc())
        .limit(HISTORY_LENGTH)
    )
    return [scene_of(session, row) for row in session.scalars(query)]


def changed(session: Session, row: Photo | TryOn, links: Links) -> str:
    """What the live socket sends when a row changed, and for each row after a (re)connect."""
    if isinstance(row, Photo):
        return photo_card(row, links, oob=True)
    if not row.status.is_final:
        return progress(row, oob=True) + (rough(row, links, oob=True) if row.preview_key else "")
    card = try_on_card(scene_of(session, row), links, oob=True)
    if row.shopper_id is None:
        return card
    return card + history(scenes_of(session, row.shopper_id), links, oob=True)


def gone(row_id: str, version: int) -> str:
    """What the live socket sends for a row that was deleted, here or in another window."""
    return render("gone.html", id=row_id, version=version, oob=True)
