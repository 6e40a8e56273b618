"""Schemas of photos: to create, choose a person, and as answered."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from gpu_worker.contract import PhotoStatus
from server.web.api.schemas.base import PRINTABLE, UPLOAD_KEY, Id, Key, Moment, ReasonOut, taken


class PhotoIn(BaseModel):
    model_config = taken({"key": UPLOAD_KEY, "consent_version": "2026-11"})
    key: Key
    consent_version: Annotated[str, StringConstraints(max_length=40, pattern=PRINTABLE)]


class PhotoChangeIn(BaseModel):
    model_config = taken({"person": 1})
    person: Annotated[int, Field(ge=0, le=99)]


class PhotoOut(BaseModel):
    id: Id
    status: PhotoStatus
    reasons: list[ReasonOut]
    hints: list[object]
    people: list[object] = Field(description="Boxes [x, y, width, height], fractions of the photo.")
    person: int | None
    width_px: int | None
    height_px: int | None
    created_at: Moment
    expires_at: Moment
