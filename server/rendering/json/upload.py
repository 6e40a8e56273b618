"""An announced upload as JSON: URL and headers for its PUT, and how long they are valid."""

from __future__ import annotations

from server.domain.uploads import Announced
from server.infra.store import UPLOAD_EXPIRES_S
from server.rendering.json import Json


def to_dict(announced: Announced) -> Json:
    return {
        "key": announced.upload.key,
        "method": "PUT",
        "url": announced.url,
        "headers": announced.headers,
        "expires_in_s": UPLOAD_EXPIRES_S,
    }
