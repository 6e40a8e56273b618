"""The enums that server and worker share; docs/protocol.md explains them."""

from __future__ import annotations

from enum import StrEnum


class Category(StrEnum):
    """Where on the body a garment is worn."""

    UPPER = "upper"
    LOWER = "lower"
    OVERALL = "overall"


class Lane(StrEnum):
    """Priority class of a job. `live`: a shopper waits for it. `bulk`: no shopper does."""

    LIVE = "live"
    BULK = "bulk"


class TryOnStatus(StrEnum):
    """The state of a try-on. `expired`: not finished in time."""

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
    """The state of a shopper's photo."""

    CHECKING = "checking"
    READY = "ready"
    REJECTED = "rejected"


class GarmentStatus(StrEnum):
    """The state of a garment."""

    CLEANING = "cleaning"
    READY = "ready"
    REJECTED = "rejected"


class Hint(StrEnum):
    """A warning: what could be better in a photo that is good enough. Stable codes.

    The tailor sends the code, the server owns the sentence (`server/rendering/words/reasons`).
    """

    DIM = "dim"
    CROP_ENDS_AT_WAIST = "crop_ends_at_waist"
    CROP_ENDS_ABOVE_WAIST = "crop_ends_above_waist"
    ARMS_BEFORE_BODY = "arms_before_body"


class Reason(StrEnum):
    """Error code: why a photo or garment was rejected or a try-on failed. Stable.

    The worker sends the code, the server owns the sentence (`server/rendering/words/reasons`);
    a test checks that every code has one.
    """

    # the file
    EMPTY_FILE = "empty_file"
    FILE_TOO_LARGE = "file_too_large"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TRUNCATED_IMAGE = "truncated_image"
    ANIMATED_IMAGE = "animated_image"
    TOO_MANY_PIXELS = "too_many_pixels"
    PICTURE_TOO_COMPLEX = "picture_too_complex"
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
