"""Schemas of garments: to create, change, list, and as answered."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, StringConstraints, model_validator

from gpu_worker.contract import Category, GarmentStatus
from server.web.api.schemas.base import (
    UPLOAD_KEY,
    Id,
    Key,
    Moment,
    PageQuery,
    ReasonOut,
    Sku,
    Title,
    taken,
)


class GarmentIn(BaseModel):
    """One of `image_key` and `image_url`."""

    model_config = taken(
        {
            "sku": "TEE-SUNSET",
            "title": "Sunset tee",
            "category": "upper",
            "image_key": UPLOAD_KEY,
        }
    )
    sku: Sku
    title: Title
    category: Category
    image_key: Key | None = None
    image_url: (
        Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[^\s]+$")] | None
    ) = None
    clean: bool = True

    @model_validator(mode="after")
    def one_picture(self) -> Self:
        if (self.image_key is None) == (self.image_url is None):
            raise ValueError("send exactly one of image_key and image_url")
        return self


class GarmentChangeIn(BaseModel):
    model_config = taken({"title": "Sunset tee, organic"})
    sku: Sku | None = None
    title: Title | None = None
    category: Category | None = None


class GarmentOut(BaseModel):
    id: Id
    sku: str
    title: str
    category: Category
    status: GarmentStatus
    reasons: list[ReasonOut]
    clean: bool
    cutout_url: str | None
    width_px: int | None
    height_px: int | None
    created_at: Moment


class GarmentsOut(BaseModel):
    garments: list[GarmentOut]
    next_cursor: str | None


class GarmentsQuery(PageQuery):
    sku: Sku | None = None
