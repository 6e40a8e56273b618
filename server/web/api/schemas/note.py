"""A note as it is written and as it stands."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, StringConstraints

from server.web.api.schemas.base import Id, Moment, given, taken


class NoteIn(BaseModel):
    model_config = taken({"text": "Ask for the red one in L."})
    text: Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class NoteOut(BaseModel):
    model_config = given({"id": "nte_1", "text": "Ask.", "created_at": "2026-12-01T12:00:00Z"})
    id: Id
    text: str
    created_at: Moment


class NotesOut(BaseModel):
    notes: list[NoteOut]
    next_cursor: str | None
