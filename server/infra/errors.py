"""Every refusal the server can give: one stable code, one status, one title each.

Pure: knows no request and no framework. `detail` says what to do about it; `server/app.py`
turns a Problem into RFC 9457 JSON.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """The word of a refusal on the wire; docs/protocol.md has them all."""

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
    PERSON_UNKNOWN = "person_unknown"
    ONE_GARMENT_ONLY = "one_garment_only"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    RATE_LIMITED = "rate_limited"
    QUEUE_FULL = "queue_full"
    TOO_MANY_TRY_ONS = "too_many_try_ons"
    TOO_MANY_PHOTOS = "too_many_photos"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Kind:
    status: int
    title: str
    detail: str


KINDS: dict[Code, Kind] = {
    # 400
    Code.BAD_REQUEST: Kind(400, "Bad request", "The request cannot be read. Check its form."),
    Code.BAD_JSON: Kind(400, "Not JSON", "Send a JSON object with Content-Type: application/json."),
    Code.BAD_CURSOR: Kind(400, "Bad cursor", "Use next_cursor of the page before, unchanged."),
    # 401, 402, 403
    Code.NOT_AUTHENTICATED: Kind(
        401, "Not authenticated", "Send Authorization: Bearer with a shopper token or secret key."
    ),
    Code.BAD_TOKEN: Kind(401, "Bad token", "The token is wrong or has run out. Get a new one."),
    Code.BAD_KEY: Kind(401, "Bad secret key", "The secret key is unknown or was revoked."),
    Code.BAD_BOOT_TOKEN: Kind(
        401, "Bad boot token", "The boot token was used already or has run out. Boot again."
    ),
    Code.NO_SHOPPER: Kind(
        401, "No shopper to resume", "There is no boot token and no session to go on with."
    ),
    Code.ORIGIN_NOT_ALLOWED: Kind(
        403, "Origin not allowed", "Add this page's origin to the site's allowed origins."
    ),
    Code.NOT_ALLOWED: Kind(403, "Not allowed", "This caller may not do that."),
    # 404, 405, 410
    Code.NOT_FOUND: Kind(404, "Not found", "There is nothing here, or it is not yours."),
    Code.SITE_NOT_FOUND: Kind(404, "Unknown publishable key", "Copy the key from the dashboard."),
    Code.PHOTO_NOT_FOUND: Kind(404, "Photo not found", "It was deleted, ran out, or is not yours."),
    Code.GARMENT_NOT_FOUND: Kind(
        404, "Garment not found", "It was deleted or is not of this site."
    ),
    Code.TRY_ON_NOT_FOUND: Kind(404, "Try-on not found", "It never was, or it is not yours."),
    Code.UPLOAD_NOT_FOUND: Kind(
        404, "Upload not found", "Ask for an upload first, then name its key within the hour."
    ),
    Code.FILE_NOT_FOUND: Kind(404, "File not found", "There is no such file, or it is not yours."),
    Code.METHOD_NOT_ALLOWED: Kind(
        405, "Method not allowed", "See Allow for the methods there are."
    ),
    Code.GONE: Kind(410, "Gone", "The picture was deleted or its time has run out."),
    # 409
    Code.UPLOAD_MISSING: Kind(
        409, "Upload missing", "The file has not arrived. PUT it to the upload's url first."
    ),
    Code.PHOTO_NOT_READY: Kind(409, "Photo not ready", "Wait until the photo's status is ready."),
    Code.PHOTO_REJECTED: Kind(409, "Photo rejected", "Choose another photo; its reasons say why."),
    Code.PHOTO_SETTLED: Kind(
        409, "Photo is settled", "A person can be chosen only while several_people asks for it."
    ),
    Code.GARMENT_NOT_READY: Kind(
        409, "Garment not ready", "Wait until the garment's status is ready."
    ),
    Code.GARMENT_REJECTED: Kind(
        409, "Garment rejected", "Replace the garment's picture; its reasons say why."
    ),
    Code.SKU_TAKEN: Kind(409, "SKU taken", "Another garment of this site has this SKU."),
    Code.TRY_ON_FINAL: Kind(
        409, "Try-on is over", "Only a queued or running try-on can be cancelled."
    ),
    # 413, 415, 422
    Code.BODY_TOO_LARGE: Kind(413, "Body too large", "Send at most 64 KiB of JSON."),
    Code.UNSUPPORTED_MEDIA_TYPE: Kind(
        415, "Unsupported media type", "Send JSON with Content-Type: application/json."
    ),
    Code.INVALID: Kind(422, "Invalid request", "Correct the named parameter."),
    Code.FILE_TOO_LARGE: Kind(422, "File too large", "Send a smaller file."),
    Code.EMPTY_FILE: Kind(422, "Empty file", "Send a file that is not empty."),
    Code.UNSUPPORTED_FORMAT: Kind(422, "Unsupported format", "Send a JPEG, PNG or WebP picture."),
    Code.TYPE_MISMATCH: Kind(
        422, "Not what was announced", "Type and size must be those that the upload announced."
    ),
    Code.PERSON_UNKNOWN: Kind(422, "No such person", "Choose an index into the photo's people."),
    Code.ONE_GARMENT_ONLY: Kind(
        422, "One garment only", "A try-on takes one garment; send garment_id."
    ),
    Code.IDEMPOTENCY_KEY_REUSED: Kind(
        422, "Idempotency key reused", "This key was used with another body. Use a new key."
    ),
    # 429, 5xx
    Code.RATE_LIMITED: Kind(429, "Too many requests", "Wait for Retry-After seconds."),
    Code.QUEUE_FULL: Kind(429, "The queue is full", "Try again after Retry-After seconds."),
    Code.TOO_MANY_TRY_ONS: Kind(
        429, "Too many try-ons at once", "Wait until one of them is finished."
    ),
    Code.TOO_MANY_PHOTOS: Kind(
        429, "Too many photos at once", "Wait until one of them has been checked."
    ),
    Code.INTERNAL: Kind(500, "Internal error", "It is our fault. Quote request_id to us."),
    Code.UNAVAILABLE: Kind(
        503, "Temporarily unavailable", "A part of the service is away. Try again shortly."
    ),
}

RETRY_AFTER_S = 5  # what a dead dependency is told to come back after


class Problem(Exception):  # noqa: N818 - it is what RFC 9457 calls it
    """A refusal. `detail` overrides the code's own sentence; `param` names the culprit."""

    def __init__(
        self,
        code: Code,
        detail: str | None = None,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
    ):
        self.kind = KINDS[code]
        super().__init__(f"{code}: {detail or self.kind.detail}")
        self.code = code
        self.status = self.kind.status
        self.detail = detail or self.kind.detail
        self.param = param
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))

    def to_dict(self, request_id: str) -> dict[str, Any]:
        return {
            "type": f"/docs#{self.code}",
            "title": self.kind.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "param": self.param,
            "request_id": request_id,
        }


class Unavailable(Problem):
    """A dependency (database, Redis, store) did not answer in time."""

    def __init__(self, what: str):
        super().__init__(Code.UNAVAILABLE, retry_after_s=RETRY_AFTER_S)
        self.what = what


class UploadNotFound(Problem):
    """No announced file has this key: it never was, ran out, or was taken over meanwhile."""

    def __init__(self, param: str):
        super().__init__(Code.UPLOAD_NOT_FOUND, param=param)


class TryOnFinal(Problem):
    """The try-on has ended already, so that nothing can be stopped or begun again."""

    def __init__(self, detail: str | None = None):
        super().__init__(Code.TRY_ON_FINAL, detail)
