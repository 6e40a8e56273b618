"""Schemas of shopper tokens."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from server.web.api.schemas.base import taken


class ShopperTokenIn(BaseModel):
    """Empty: go on with the bearer token of this request, or with the resume cookie."""

    model_config = taken({"boot_token": "q6m1…"}, {})
    boot_token: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


class ShopperTokenOut(BaseModel):
    shopper_token: str
    expires_in_s: int
    resumed: bool = Field(description="Whether this shopper was here before.")
