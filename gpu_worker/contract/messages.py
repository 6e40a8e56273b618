"""The messages between server and worker, and their JSON: jobs (to a worker), events (from one).

Nudges (change notifications between processes of the server) are short text.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Self, TypedDict, TypeVar

from gpu_worker.contract.names import FETCHER, TAILOR
from gpu_worker.contract.options import OPTION_NAMES, Options
from gpu_worker.contract.words import Category, Lane

VERSION = 1

_Body = dict[str, Any]  # a message as it was received: nothing in it is checked yet
_Word = TypeVar("_Word", bound=StrEnum)


class ContractError(ValueError):
    """A message that this version cannot read: wrong version, kind, field or type."""


def _decode(text: str | bytes) -> _Body:
    """A JSON object of this version. Raises ContractError for anything else."""
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
    """The fields of every job, and its JSON.

    `KIND`: its name on the wire and in RQ's function name. `SUBJECT`: what its events are about.
    `ENGINE`, `LANE`: the queue of a kind that has only one. `shopper_id` and `asked_from` (a keyed
    hash of the network she asked from) decide its place in the merchant's queue, see `turns`.
    """

    KIND: ClassVar[str]
    SUBJECT: ClassVar[Subject]

    merchant_id: str
    site_id: str
    accepted_at_ms: int
    shopper_id: str | None = None
    asked_from: str | None = None

    @property
    def id(self) -> str:
        """The job's id in RQ."""
        raise NotImplementedError

    @property
    def row_id(self) -> str:
        """The id of the row that its events are about."""
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
    """Only the fields that this release knows: a later one may add some."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in body.items() if name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class TryOnJob(_Job):
    """Draw one picture. `*_key` name objects in the store, `*_parts_key` the tailor's arrays."""

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
    partial_key: str | None = None  # where the worker stores partial pictures; None: it makes none
    seed: int = 0
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        object.__setattr__(self, "category", _word(Category, self.category))

    @classmethod
    def _fields(cls, body: _Body) -> _Body:
        """Reads the options too; the release before wrote them beside the other fields."""
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
    """Check and clean a shopper's photo: reads `upload_key`, writes `clean_key` and `parts_key`.

    `person`: which of several people she is, as an index into the boxes reported before.
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
    """Clean a garment's picture: reads `upload_key`, writes the three other keys.

    `clean_key`: the decoded picture; `parts_key`: its arrays; `cutout_key`: a PNG for the screen
    with a transparent background, at most 512 px. `upload_key` is None only in a job of an earlier
    release, whose tailor fetched the picture itself: the tailor ends such a job without a result,
    and the steward enqueues a fetch job.
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
    """Download a garment's picture from a merchant's own server: `image_url` to `fetched_key`."""

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
    """The id of a garment's fetch job.

    Not the garment's own id: RQ tells jobs apart by id alone, and the tailor's job of the same
    garment is enqueued while this one is still being settled.
    """
    return f"fet_{garment_id.removeprefix('gar_')}"


Job = TryOnJob | PhotoJob | GarmentJob | FetchJob
JOBS: dict[str, type[TryOnJob] | type[PhotoJob] | type[GarmentJob] | type[FetchJob]] = {
    job.KIND: job for job in (TryOnJob, PhotoJob, GarmentJob, FetchJob)
}


def function_name(kind: str) -> str:
    """The function name that RQ shows for a job of this kind. Our workers never import it: they
    dispatch on the payload's `kind`."""
    return f"proteus.{kind}"


def job_from_json(text: str | bytes) -> Job:
    """Reads any job.

    Raises:
        ContractError: the text is not a job of this version.
    """
    kind = _decode(text).get("kind")
    if kind not in JOBS:
        raise ContractError(f"unknown kind {kind!r}")
    return JOBS[kind].from_json(text)


class EventType(StrEnum):
    """What happened. Try-ons: running, partial, succeeded, failed, cancelled. Photos and garments:
    ready or rejected; garments also fetched."""

    RUNNING = "running"
    PARTIAL = "partial"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    FETCHED = "fetched"
    READY = "ready"
    REJECTED = "rejected"


_OLD_EVENT_TYPES = {"preview": "partial"}  # sent by workers before 0.1; read until 0.2


class EventData(TypedDict, total=False):
    """The possible fields of an event's data; `Event` lists them by type. Readers must check them:
    nothing validates what arrives."""

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
    """Domain event: a worker's hint that the state of a row changed.

    `data` by type: running `{step, steps, tier}`; partial `{key}`; succeeded `{width, height,
    engine, is_preview, tier, seed, model_ms}`; failed `{code, retryable}`; photo ready `{width,
    height, people, hints}`; garment fetched `{key}`, ready `{width, height}`; rejected
    `{reasons: [code], people}`.
    A final event also has `carry_ms`: time spent on the files outside the engine (store, decode,
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
                data=body["data"] | {},  # raises TypeError if it is not an object
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ContractError(f"event: {error}") from error


@dataclass(frozen=True, slots=True)
class Nudge:
    """Change notification (pub/sub): `id version owner`. A lost one delays a page, nothing else.

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
