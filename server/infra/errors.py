"""Every refusal the server can give: one stable code, one status, one title each.

Pure: knows no request and no framework. `detail` says what to do about it; `server/app.py`
turns a Problem into RFC 9457 JSON.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    status: int
    title: str
    detail: str


KINDS: dict[str, Kind] = {
    # 400
    "bad_request": Kind(400, "Bad request", "The request cannot be read. Check its form."),
    "bad_json": Kind(400, "Not JSON", "Send a JSON object with Content-Type: application/json."),
    "bad_cursor": Kind(400, "Bad cursor", "Use next_cursor of the page before, unchanged."),
    # 401, 402, 403
    "not_authenticated": Kind(
        401, "Not authenticated", "Send Authorization: Bearer with a shopper token or secret key."
    ),
    "bad_token": Kind(401, "Bad token", "The token is wrong or has run out. Get a new one."),
    "bad_key": Kind(401, "Bad secret key", "The secret key is unknown or was revoked."),
    "bad_boot_token": Kind(
        401, "Bad boot token", "The boot token was used already or has run out. Boot again."
    ),
    "no_shopper": Kind(
        401, "No shopper to resume", "There is no boot token and no session to go on with."
    ),
    "origin_not_allowed": Kind(
        403, "Origin not allowed", "Add this page's origin to the site's allowed origins."
    ),
    "not_allowed": Kind(403, "Not allowed", "This caller may not do that."),
    # 404, 405, 410
    "not_found": Kind(404, "Not found", "There is nothing here, or it is not yours."),
    "site_not_found": Kind(404, "Unknown publishable key", "Copy the key from the dashboard."),
    "photo_not_found": Kind(404, "Photo not found", "It was deleted, ran out, or is not yours."),
    "garment_not_found": Kind(404, "Garment not found", "It was deleted or is not of this site."),
    "try_on_not_found": Kind(404, "Try-on not found", "It never was, or it is not yours."),
    "upload_not_found": Kind(
        404, "Upload not found", "Ask for an upload first, then name its key within the hour."
    ),
    "file_not_found": Kind(404, "File not found", "There is no such file, or it is not yours."),
    "method_not_allowed": Kind(405, "Method not allowed", "See Allow for the methods there are."),
    "gone": Kind(410, "Gone", "The picture was deleted or its time has run out."),
    # 409
    "upload_missing": Kind(
        409, "Upload missing", "The file has not arrived. PUT it to the upload's url first."
    ),
    "photo_not_ready": Kind(409, "Photo not ready", "Wait until the photo's status is ready."),
    "photo_rejected": Kind(409, "Photo rejected", "Choose another photo; its reasons say why."),
    "photo_settled": Kind(
        409, "Photo is settled", "A person can be chosen only while several_people asks for it."
    ),
    "garment_not_ready": Kind(
        409, "Garment not ready", "Wait until the garment's status is ready."
    ),
    "garment_rejected": Kind(
        409, "Garment rejected", "Replace the garment's picture; its reasons say why."
    ),
    "sku_taken": Kind(409, "SKU taken", "Another garment of this site has this SKU."),
    "try_on_final": Kind(
        409, "Try-on is over", "Only a queued or running try-on can be cancelled."
    ),
    # 413, 415, 422
    "body_too_large": Kind(413, "Body too large", "Send at most 64 KiB of JSON."),
    "unsupported_media_type": Kind(
        415, "Unsupported media type", "Send JSON with Content-Type: application/json."
    ),
    "invalid": Kind(422, "Invalid request", "Correct the named parameter."),
    "file_too_large": Kind(422, "File too large", "Send a smaller file."),
    "empty_file": Kind(422, "Empty file", "Send a file that is not empty."),
    "unsupported_format": Kind(422, "Unsupported format", "Send a JPEG, PNG or WebP picture."),
    "type_mismatch": Kind(
        422, "Not what was announced", "Type and size must be those that the upload announced."
    ),
    "option_not_supported": Kind(
        422, "Option not supported", "Leave the named option out: the engine does not honour it."
    ),
    "person_unknown": Kind(422, "No such person", "Choose an index into the photo's people."),
    "one_garment_only": Kind(
        422, "One garment only", "A try-on takes one garment; send garment_id."
    ),
    "idempotency_key_reused": Kind(
        422, "Idempotency key reused", "This key was used with another body. Use a new key."
    ),
    # 429, 5xx
    "rate_limited": Kind(429, "Too many requests", "Wait for Retry-After seconds."),
    "queue_full": Kind(429, "The queue is full", "Try again after Retry-After seconds."),
    "too_many_try_ons": Kind(
        429, "Too many try-ons at once", "Wait until one of them is finished."
    ),
    "too_many_photos": Kind(
        429, "Too many photos at once", "Wait until one of them has been checked."
    ),
    "internal": Kind(500, "Internal error", "It is our fault. Quote request_id to us."),
    "unavailable": Kind(
        503, "Temporarily unavailable", "A part of the service is away. Try again shortly."
    ),
}

RETRY_AFTER_S = 5  # what a dead dependency is told to come back after


class Problem(Exception):  # noqa: N818 - it is what RFC 9457 calls it
    """A refusal. `detail` overrides the code's own sentence; `param` names the culprit."""

    def __init__(
        self,
        code: str,
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
        super().__init__("unavailable", retry_after_s=RETRY_AFTER_S)
        self.what = what
