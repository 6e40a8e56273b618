"""The one vocabulary of server and worker: jobs, events, reasons and Redis names.

Standard library only (a test holds its imports against `sys.stdlib_module_names`): the server
imports this module and nothing else of `gpu_worker`. Everything here goes over the wire as JSON.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Self, TypeVar

VERSION = 1

_Word = TypeVar("_Word", bound=StrEnum)


class ContractError(ValueError):
    """A message that does not speak this vocabulary: wrong version, kind, field or type."""


# --- words ---------------------------------------------------------------------------------------


class Category(StrEnum):
    """What part of the body a garment dresses."""

    UPPER = "upper"
    LOWER = "lower"
    OVERALL = "overall"


class Lane(StrEnum):
    """`live`: a shopper waits. `bulk`: nobody does."""

    LIVE = "live"
    BULK = "bulk"


class TryOnStatus(StrEnum):
    """Where a try-on stands. `expired` never finished in time."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        return self not in (TryOnStatus.QUEUED, TryOnStatus.RUNNING)


class PhotoStatus(StrEnum):
    CHECKING = "checking"
    READY = "ready"
    REJECTED = "rejected"


class GarmentStatus(StrEnum):
    CLEANING = "cleaning"
    READY = "ready"
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why a picture was refused or a try-on failed: stable codes.

    The worker sends the code, the server owns the sentence (`server/reasons.py`), and a test
    holds the two together.
    """

    # the file
    EMPTY_FILE = "empty_file"
    FILE_TOO_LARGE = "file_too_large"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TRUNCATED_IMAGE = "truncated_image"
    ANIMATED_IMAGE = "animated_image"
    TOO_MANY_PIXELS = "too_many_pixels"
    IMAGE_TOO_SMALL = "image_too_small"
    TYPE_MISMATCH = "type_mismatch"
    UPLOAD_MISSING = "upload_missing"
    IMAGE_URL_UNREACHABLE = "image_url_unreachable"
    # the person
    NOBODY_FOUND = "nobody_found"
    SEVERAL_PEOPLE = "several_people"
    BACK_VIEW = "back_view"
    IMPLAUSIBLE_POSE = "implausible_pose"
    PERSON_TOO_SMALL = "person_too_small"
    PHOTO_TOO_DARK = "photo_too_dark"
    # the garment
    GARMENT_BACKGROUND_NOT_PLAIN = "garment_background_not_plain"
    GARMENT_ON_MODEL = "garment_on_model"
    GARMENT_NOT_FOUND = "garment_not_found"
    # the two together
    CATEGORY_NOT_SUPPORTED = "category_not_supported"
    CROP_TOO_TIGHT = "crop_too_tight"
    WOULD_NEED_BARE_LIMBS = "would_need_bare_limbs"
    SELF_CHECK_FAILED = "self_check_failed"
    PICTURE_WITHHELD = "picture_withheld"
    # the service
    ENGINE_FAILED = "engine_failed"
    WORKER_LOST = "worker_lost"


# --- Redis names ---------------------------------------------------------------------------------

EVENTS = "proteus:events"
NUDGES = "proteus:nudges"
STEWARDS = "stewards"  # consumer group on EVENTS
STEWARD = "proteus:steward"  # Redis hash by which the steward says that it lives: name, ts, counts
TAILOR = "tailor"  # the engine name under which photo and garment jobs are queued

DEFAULT_BATCH_SIZE = 4
POLICY_TTL_S = 5
WORKER_TTL_S = 10
STEWARD_TTL_S = 10
CANCEL_TTL_S = 3600

# Run as `pipeline.eval(JOIN_RING, 1, ring_key, merchant_id)` in the MULTI that enqueues. A merchant
# who is in the ring keeps its place: LREM + RPUSH would send whoever enqueues often to the back
# again and again, and it would never have its turn.
JOIN_RING = """
if not redis.call('LPOS', KEYS[1], ARGV[1]) then redis.call('RPUSH', KEYS[1], ARGV[1]) end
"""


def queue_name(engine: str, lane: Lane, merchant_id: str) -> str:
    """RQ queue of one merchant's jobs for one engine."""
    return f"{engine}:{lane.value}:{merchant_id}"


def ring_key(engine: str, lane: Lane) -> str:
    """Redis list of the merchants that have jobs, in the order of their turns."""
    return f"proteus:ring:{engine}:{lane.value}"


def bell_key(engine: str) -> str:
    """Redis list that wakes a worker; losing an entry costs one poll and nothing else."""
    return f"proteus:bell:{engine}"


def policy_key(engine: str) -> str:
    """Redis hash the arbitrator writes: batch_size, tier, mode, ts."""
    return f"proteus:policy:{engine}"


def worker_key(worker_id: str) -> str:
    """Redis hash by which a worker says that it lives: engine, pid, licence, is_preview, ts."""
    return f"proteus:worker:{worker_id}"


def cancel_key(job_id: str) -> str:
    """Set (with CANCEL_TTL_S) by the server when a try-on is cancelled; the worker looks often."""
    return f"proteus:cancel:{job_id}"


def lease_key(member: str) -> str:
    """Lives as long as the worker that holds `member` (`job:execution` in RQ's started registry).

    Redis's own clock ends it, so that workers' clocks need not agree.
    """
    return f"proteus:lease:{member}"


# --- messages ------------------------------------------------------------------------------------


def _decode(text: str | bytes) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise ContractError(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ContractError("not a JSON object")
    if body.get("version") != VERSION:
        raise ContractError(f"version {body.get('version')!r}, this side speaks {VERSION}")
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What every job carries. `KIND` names the job on the wire and in RQ's function name."""

    KIND: ClassVar[str]

    merchant_id: str
    site_id: str
    accepted_at_ms: int

    def to_json(self) -> str:
        return json.dumps({"version": VERSION, "kind": self.KIND, **asdict(self)})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        body = _decode(text)
        if body.get("kind") != cls.KIND:
            raise ContractError(f"kind {body.get('kind')!r}, expected {cls.KIND!r}")
        known = {f.name for f in fields(cls)}
        given = {key: value for key, value in body.items() if key in known}
        try:
            return cls(**given)
        except TypeError as error:
            raise ContractError(f"{cls.KIND}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class TryOnJob(_Job):
    """Draw one picture. Keys name objects in the store; `*_parts_key` what the tailor found."""

    KIND: ClassVar[str] = "try_on"

    try_on_id: str
    engine: str
    category: Category
    photo_key: str
    garment_key: str
    result_key: str
    photo_parts_key: str | None = None
    garment_parts_key: str | None = None
    mask_key: str | None = None
    seed: int = 0
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    keep_head: bool = True
    redraw_hands: bool = True
    loose_mask: bool = True
    upscale: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "category", _word(Category, self.category))

    @property
    def id(self) -> str:
        return self.try_on_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoJob(_Job):
    """Check and clean a shopper's photo: `upload_key` -> `clean_key` and `parts_key`.

    `person` picks one of several people, by index into the boxes reported before.
    """

    KIND: ClassVar[str] = "photo"

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
    """Clean a garment's picture: `upload_key` or `image_url` -> `clean_key` and `parts_key`.

    `clean_key` receives the decoded picture, `cutout_key` a PNG with the ground transparent,
    at most 512 px, for the screen.
    """

    KIND: ClassVar[str] = "garment"

    garment_id: str
    category: Category
    clean_key: str
    parts_key: str
    cutout_key: str
    upload_key: str | None = None
    image_url: str | None = None
    clean: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "category", _word(Category, self.category))

    @property
    def id(self) -> str:
        return self.garment_id


Job = TryOnJob | PhotoJob | GarmentJob
JOBS: dict[str, type[TryOnJob] | type[PhotoJob] | type[GarmentJob]] = {
    job.KIND: job for job in (TryOnJob, PhotoJob, GarmentJob)
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


class Subject(StrEnum):
    """What an event is about."""

    TRY_ON = "try_on"
    PHOTO = "photo"
    GARMENT = "garment"


class EventType(StrEnum):
    """What happened. A try-on runs, previews, succeeds or fails; a photo or garment is
    ready or rejected."""

    RUNNING = "running"
    PREVIEW = "preview"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    READY = "ready"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One hint from a worker that a row changed.

    `data` by type: running `{step, steps}`; preview `{key}`; succeeded `{width, height, engine,
    is_preview, tier, seed, model_ms}`; failed `{code, retryable}`; photo ready `{width, height,
    people, hints}`; garment ready `{width, height}`; rejected `{reasons: [code], people}`. Every
    end brings `carry_ms` too: time with the pictures outside the engine (store, decode, encode).
    `people` is a list of boxes `[x, y, width, height]` in fractions of the upright photo.
    """

    subject: Subject
    id: str
    type: EventType
    at_ms: int
    data: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps({"version": VERSION, **asdict(self)})

    @classmethod
    def from_json(cls, text: str | bytes) -> Event:
        body = _decode(text)
        try:
            return cls(
                subject=Subject(body["subject"]),
                id=str(body["id"]),
                type=EventType(body["type"]),
                at_ms=int(body["at_ms"]),
                data=dict(body["data"]),
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
