"""Jobs, events and nudges: JSON both ways."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Self, TypedDict, TypeVar

from gpu_worker.contract.names import FETCHER, TAILOR
from gpu_worker.contract.options import OPTION_NAMES, Options
from gpu_worker.contract.words import Category, Lane

VERSION = 1

_Body = dict[str, Any]  # a message as it came: nothing in it is checked yet
_Word = TypeVar("_Word", bound=StrEnum)


class ContractError(ValueError):
    """A message that does not speak this vocabulary: wrong version, kind, field or type."""


def _decode(text: str | bytes) -> _Body:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise ContractError(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ContractError("not a JSON object")
    if body.get("version") != VERSION:
        raise ContractError(f"version {body.get('version')!r}, this side speaks {VERSION}")
    return body


class Subject(StrEnum):
    """What an event is about."""

    TRY_ON = "try_on"
    PHOTO = "photo"
    GARMENT = "garment"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What every job carries. `KIND` names the job on the wire and in RQ's function name, `SUBJECT`
    what its events are about. Where a kind is always queued in one place, `ENGINE` and `LANE` say
    it, and nobody else does. `shopper_id` and `asked_from`, a mark of her address, say whose turn
    it takes among its merchant's."""

    KIND: ClassVar[str]
    SUBJECT: ClassVar[Subject]

    merchant_id: str
    site_id: str
    accepted_at_ms: int
    shopper_id: str | None = None
    asked_from: str | None = None

    @property
    def id(self) -> str:
        """RQ's id of the job."""
        raise NotImplementedError

    @property
    def row_id(self) -> str:
        """The row that its events are about."""
        return self.id

    def to_json(self) -> str:
        return json.dumps({"version": VERSION, "kind": self.KIND, **asdict(self)})

    @classmethod
    def _fields(cls, body: _Body) -> _Body:
        return _known(cls, body)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        body = _decode(text)
        if body.get("kind") != cls.KIND:
            raise ContractError(f"kind {body.get('kind')!r}, expected {cls.KIND!r}")
        try:
            return cls(**cls._fields(body))
        except TypeError as error:
            raise ContractError(f"{cls.KIND}: {error}") from error


def _known(kind: type[_Job], body: _Body) -> _Body:
    """The fields that this side knows; what a later release adds is left out."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in body.items() if name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class TryOnJob(_Job):
    """Draw one picture. Keys name objects in the store; `*_parts_key` what the tailor found."""

    KIND: ClassVar[str] = "try_on"
    SUBJECT: ClassVar[Subject] = Subject.TRY_ON

    try_on_id: str
    engine: str
    category: Category
    photo_key: str
    garment_key: str
    result_key: str
    photo_parts_key: str | None = None
    garment_parts_key: str | None = None
    mask_key: str | None = None
    partial_key: str | None = None  # where a partial picture of a try-on under way may be put
    seed: int = 0
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        object.__setattr__(self, "category", _word(Category, self.category))

    @classmethod
    def _fields(cls, body: _Body) -> _Body:
        """Options by name; of a server of the release before, they lie beside the other fields."""
        given = body.get("options", body)
        if not isinstance(given, dict):
            raise ContractError(f"options {given!r}: not an object")
        named = {name: value for name, value in given.items() if name in OPTION_NAMES}
        return {**_known(cls, body), "options": Options(**named)}

    @property
    def id(self) -> str:
        return self.try_on_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoJob(_Job):
    """Check and clean a shopper's photo: `upload_key` -> `clean_key` and `parts_key`.

    `person` picks one of several people, by index into the boxes reported before.
    """

    KIND: ClassVar[str] = "photo"
    SUBJECT: ClassVar[Subject] = Subject.PHOTO
    ENGINE: ClassVar[str] = TAILOR
    LANE: ClassVar[Lane] = Lane.LIVE

    photo_id: str
    upload_key: str
    content_type: str
    clean_key: str
    parts_key: str
    person: int | None = None

    @property
    def id(self) -> str:
        return self.photo_id


@dataclass(frozen=True, slots=True, kw_only=True)
class GarmentJob(_Job):
    """Clean a garment's picture: `upload_key` -> `clean_key` and `parts_key`.

    `clean_key` receives the decoded picture, `cutout_key` a PNG with the ground transparent,
    at most 512 px, for the screen. `upload_key` is None only in a job of an earlier version, whose
    tailor fetched for itself: such a job ends unheard and the steward has the picture fetched.
    """

    KIND: ClassVar[str] = "garment"
    SUBJECT: ClassVar[Subject] = Subject.GARMENT
    ENGINE: ClassVar[str] = TAILOR
    LANE: ClassVar[Lane] = Lane.BULK

    garment_id: str
    category: Category
    clean_key: str
    parts_key: str
    cutout_key: str
    upload_key: str | None = None
    clean: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "category", _word(Category, self.category))

    @property
    def id(self) -> str:
        return self.garment_id


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchJob(_Job):
    """Bring a garment's picture from a merchant's own address: `image_url` -> `fetched_key`."""

    KIND: ClassVar[str] = "fetch"
    SUBJECT: ClassVar[Subject] = Subject.GARMENT
    ENGINE: ClassVar[str] = FETCHER
    LANE: ClassVar[Lane] = Lane.BULK

    garment_id: str
    image_url: str
    fetched_key: str

    @property
    def id(self) -> str:
        return fetch_id(self.garment_id)

    @property
    def row_id(self) -> str:
        return self.garment_id


def fetch_id(garment_id: str) -> str:
    """The id of a garment's fetch job. RQ knows jobs by their ids alone, and the tailor's job of
    the same garment follows while this one is still being settled."""
    return f"fet_{garment_id.removeprefix('gar_')}"


Job = TryOnJob | PhotoJob | GarmentJob | FetchJob
JOBS: dict[str, type[TryOnJob] | type[PhotoJob] | type[GarmentJob] | type[FetchJob]] = {
    job.KIND: job for job in (TryOnJob, PhotoJob, GarmentJob, FetchJob)
}


def function_name(kind: str) -> str:
    """The function RQ shows for a job of this kind; our workers dispatch on the payload."""
    return f"proteus.{kind}"


def job_from_json(text: str | bytes) -> Job:
    """Reads any job.

    Raises:
        ContractError: the text is no job of this version.
    """
    kind = _decode(text).get("kind")
    if kind not in JOBS:
        raise ContractError(f"unknown kind {kind!r}")
    return JOBS[kind].from_json(text)


class EventType(StrEnum):
    """What happened. A try-on runs, has a partial picture, succeeds or fails; a photo or garment is
    ready or rejected, a garment's picture may have to be fetched before."""

    RUNNING = "running"
    PARTIAL = "partial"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    FETCHED = "fetched"
    READY = "ready"
    REJECTED = "rejected"


_OLD_EVENT_TYPES = {"preview": "partial"}  # what workers before 0.1 say; read until 0.2


class EventData(TypedDict, total=False):
    """What an event may say; which of it, `Event` tells by type. Who reads it checks what came."""

    step: int
    steps: int
    tier: str
    key: str
    width: int
    height: int
    engine: str
    is_preview: bool
    seed: int
    model_ms: int
    carry_ms: int
    code: str
    retryable: bool
    people: list[list[float]]
    hints: list[str]
    reasons: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One hint from a worker that a row changed.

    `data` by type: running `{step, steps, tier}`; preview `{key}`; succeeded `{width, height,
    engine, is_preview, tier, seed, model_ms}`; failed `{code, retryable}`; photo ready `{width,
    height, people, hints}`; garment fetched `{key}`, ready `{width, height}`; rejected
    `{reasons: [code], people}`.
    Every end brings `carry_ms` too: time with the pictures outside the engine (store, decode,
    encode).
    `people` is a list of boxes `[x, y, width, height]` in fractions of the upright photo.
    """

    subject: Subject
    id: str
    type: EventType
    at_ms: int
    data: EventData = field(default_factory=EventData)

    def to_json(self) -> str:
        return json.dumps({"version": VERSION, **asdict(self)})

    @classmethod
    def from_json(cls, text: str | bytes) -> Event:
        body = _decode(text)
        try:
            return cls(
                subject=Subject(body["subject"]),
                id=str(body["id"]),
                type=EventType(_OLD_EVENT_TYPES.get(str(body["type"]), str(body["type"]))),
                at_ms=int(body["at_ms"]),
                data=body["data"] | {},  # TypeError where it is no object
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ContractError(f"event: {error}") from error


@dataclass(frozen=True, slots=True)
class Nudge:
    """`id version owner`: a row changed, look at it. Lost nudges cost nothing but time.

    `owner` is `merchant_id/site_id/shopper_id`, with `-` where there is no shopper.
    """

    id: str
    version: int
    owner: str

    def to_text(self) -> str:
        return f"{self.id} {self.version} {self.owner}"

    @classmethod
    def from_text(cls, text: str | bytes) -> Nudge:
        parts = (text.decode() if isinstance(text, bytes) else text).split(" ")
        if len(parts) != 3 or not parts[1].isdigit():
            raise ContractError(f"not a nudge: {text!r}")
        return cls(parts[0], int(parts[1]), parts[2])


def _word(kind: type[_Word], value: str) -> _Word:
    try:
        return kind(value)
    except ValueError as error:
        raise ContractError(str(error)) from error
