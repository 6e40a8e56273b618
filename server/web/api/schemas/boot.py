"""Schemas of the boot request and its answer."""

from __future__ import annotations

from pydantic import BaseModel

from server.web.api.schemas.base import Sku, taken


class BootIn(BaseModel):
    model_config = taken({"garment": "TEE-SUNSET"})
    garment: Sku | None = None


class BootOut(BaseModel):
    boot_token: str
    widget_url: str
    expires_in_s: int
