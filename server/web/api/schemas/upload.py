"""Schemas of uploads: the announced file, and the presigned PUT for it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from server.web.api.schemas.base import taken


class UploadIn(BaseModel):
    model_config = taken({"purpose": "photo", "content_type": "image/jpeg", "size_bytes": 734003})
    purpose: Literal["photo", "garment"]
    content_type: Annotated[str, StringConstraints(max_length=100)]
    size_bytes: Annotated[int, Field(ge=0)]


class UploadOut(BaseModel):
    """PUT exactly these bytes to `url` with exactly these headers."""

    key: str
    method: Literal["PUT"]
    url: str
    headers: dict[str, str]
    expires_in_s: int
