"""Shared parts of the schemas: constrained strings, paging, reasons. Knows no noun."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

Id = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}_[0-9a-f]{24}$")]
PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
Key = Annotated[str, StringConstraints(max_length=300, pattern=PRINTABLE)]
Sku = Annotated[str, StringConstraints(max_length=100, strip_whitespace=True, pattern=PRINTABLE)]
Title = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True, pattern=PRINTABLE)]
Named = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z0-9_]+$")]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Seed = Annotated[int, Field(ge=0, lt=2**31)]

PHOTO_ID = "pho_3f9c1a5be2d04c77a1b2c3d4"
GARMENT_ID = "gar_8d07c1f2a6b54e39c0ffee01"
TRY_ON_ID = "try_51e0b7d3c4a24f6e9a8b7c6d"
UPLOAD_KEY = "uploads/sit_0a1b2c3d4e5f60718293a4b5/Zk3uV0b1c2d3e4f5g6h7i8j9"


def taken(*examples: dict[str, JsonValue]) -> ConfigDict:
    """Config of a request's schema: refuses unknown fields."""
    return ConfigDict(extra="forbid", json_schema_extra={"examples": list(examples)})


def given(*examples: dict[str, JsonValue]) -> ConfigDict:
    """Config of an answer's schema."""
    return ConfigDict(json_schema_extra={"examples": list(examples)})


class ReasonOut(BaseModel):
    code: str
    detail: str


class PageQuery(BaseModel):
    model_config = taken({"limit": 20})
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
