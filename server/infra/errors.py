"""Error codes of the API: every refusal has one stable code and one HTTP status.

Pure: must not know requests, Flask or sentences. `rendering/words/problems` has the sentences,
`rendering/problems` turns a Problem into RFC 9457 JSON.
"""

from __future__ import annotations

import math
from enum import StrEnum


class Code(StrEnum):
    """Error code as sent to clients; docs/protocol.md describes each."""

    BAD_REQUEST = "bad_request"
    BAD_JSON = "bad_json"
    BAD_CURSOR = "bad_cursor"
    NOT_AUTHENTICATED = "not_authenticated"
    BAD_TOKEN = "bad_token"  # noqa: S105 - the name of a refusal
    BAD_KEY = "bad_key"
    BAD_BOOT_TOKEN = "bad_boot_token"  # noqa: S105
    NO_SHOPPER = "no_shopper"
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"
    NOT_ALLOWED = "not_allowed"
    NOT_FOUND = "not_found"
    SITE_NOT_FOUND = "site_not_found"
    PHOTO_NOT_FOUND = "photo_not_found"
    GARMENT_NOT_FOUND = "garment_not_found"
    TRY_ON_NOT_FOUND = "try_on_not_found"
    UPLOAD_NOT_FOUND = "upload_not_found"
    FILE_NOT_FOUND = "file_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    GONE = "gone"
    UPLOAD_MISSING = "upload_missing"
    PHOTO_NOT_READY = "photo_not_ready"
    PHOTO_REJECTED = "photo_rejected"
    PHOTO_SETTLED = "photo_settled"
    GARMENT_NOT_READY = "garment_not_ready"
    GARMENT_REJECTED = "garment_rejected"
    SKU_TAKEN = "sku_taken"
    TRY_ON_FINAL = "try_on_final"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    INVALID = "invalid"
    FILE_TOO_LARGE = "file_too_large"
    EMPTY_FILE = "empty_file"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TYPE_MISMATCH = "type_mismatch"
    OPTION_NOT_SUPPORTED = "option_not_supported"
    PERSON_UNKNOWN = "person_unknown"
    ONE_GARMENT_ONLY = "one_garment_only"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    RATE_LIMITED = "rate_limited"
    QUEUE_FULL = "queue_full"
    TOO_MANY_TRY_ONS = "too_many_try_ons"
    TOO_MANY_PHOTOS = "too_many_photos"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"


STATUSES: dict[Code, int] = {
    Code.BAD_REQUEST: 400,
    Code.BAD_JSON: 400,
    Code.BAD_CURSOR: 400,
    Code.NOT_AUTHENTICATED: 401,
    Code.BAD_TOKEN: 401,
    Code.BAD_KEY: 401,
    Code.BAD_BOOT_TOKEN: 401,
    Code.NO_SHOPPER: 401,
    Code.ORIGIN_NOT_ALLOWED: 403,
    Code.NOT_ALLOWED: 403,
    Code.NOT_FOUND: 404,
    Code.SITE_NOT_FOUND: 404,
    Code.PHOTO_NOT_FOUND: 404,
    Code.GARMENT_NOT_FOUND: 404,
    Code.TRY_ON_NOT_FOUND: 404,
    Code.UPLOAD_NOT_FOUND: 404,
    Code.FILE_NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.GONE: 410,
    Code.UPLOAD_MISSING: 409,
    Code.PHOTO_NOT_READY: 409,
    Code.PHOTO_REJECTED: 409,
    Code.PHOTO_SETTLED: 409,
    Code.GARMENT_NOT_READY: 409,
    Code.GARMENT_REJECTED: 409,
    Code.SKU_TAKEN: 409,
    Code.TRY_ON_FINAL: 409,
    Code.BODY_TOO_LARGE: 413,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.INVALID: 422,
    Code.FILE_TOO_LARGE: 422,
    Code.EMPTY_FILE: 422,
    Code.UNSUPPORTED_FORMAT: 422,
    Code.TYPE_MISMATCH: 422,
    Code.OPTION_NOT_SUPPORTED: 422,
    Code.PERSON_UNKNOWN: 422,
    Code.ONE_GARMENT_ONLY: 422,
    Code.IDEMPOTENCY_KEY_REUSED: 422,
    Code.RATE_LIMITED: 429,
    Code.QUEUE_FULL: 429,
    Code.TOO_MANY_TRY_ONS: 429,
    Code.TOO_MANY_PHOTOS: 429,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
}

RETRY_AFTER_S = 5  # sent to clients while a dependency is away


class Problem(Exception):  # noqa: N818 - it is what RFC 9457 calls it
    """A refusal, raised anywhere and turned into an answer by the app's error handler.

    `detail` replaces the code's general sentence; `param` names the parameter at fault.
    """

    def __init__(
        self,
        code: Code,
        detail: str | None = None,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
    ):
        super().__init__(f"{code}: {detail}" if detail else code.value)
        self.code = code
        self.status = STATUSES[code]
        self.detail = detail
        self.param = param
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))


class Unavailable(Problem):
    """A dependency (database, Redis, store) did not answer in time."""

    def __init__(self, what: str):
        super().__init__(Code.UNAVAILABLE, retry_after_s=RETRY_AFTER_S)
        self.what = what

    def __str__(self) -> str:
        return f"{self.code}: {self.what}"


class UploadNotFound(Problem):
    """No upload of the caller's has this key: unknown, expired, or taken over already."""

    def __init__(self, param: str):
        super().__init__(Code.UPLOAD_NOT_FOUND, param=param)


class TryOnFinal(Problem):
    """The try-on's final status does not allow this: no cancelling, no retry."""

    def __init__(self, detail: str | None = None):
        super().__init__(Code.TRY_ON_FINAL, detail)
