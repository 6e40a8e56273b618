"""A note as it stands in JSON."""

from __future__ import annotations

from server.models import Note
from server.rendering.json import Json


def to_dict(note: Note) -> Json:
    return {"id": note.id, "text": note.text, "created_at": note.created_at.isoformat()}
