"""A photo as JSON, without its picture, which `/v1/files` serves."""

from __future__ import annotations

from server.infra.caller import CallerKind
from server.models import Photo
from server.rendering.json import Json, reasons_of


def to_dict(photo: Photo, *, reader: CallerKind = "shopper") -> Json:
    return {
        "id": photo.id,
        "status": photo.status.value,
        "reasons": reasons_of(photo.reasons, reader),
        "hints": photo.hints,
        "people": photo.people,
        "person": photo.person,
        "width_px": photo.width_px,
        "height_px": photo.height_px,
        "created_at": photo.created_at.isoformat(),
        "expires_at": photo.expires_at.isoformat(),
    }
