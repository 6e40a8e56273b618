"""What goes over the wire at /v1: every body in and out, with limits and examples.

Unknown fields are refused. Shapes out are those of the acts' `to_dict`; a test holds them together.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from gpu_worker.contract import (
    HONOURED,
    OPTION_NAMES,
    Category,
    GarmentStatus,
    Options,
    PhotoStatus,
    TryOnStatus,
)
from server.domain import try_ons

Id = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}_[0-9a-f]{24}$")]
_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
Key = Annotated[str, StringConstraints(max_length=300, pattern=_PRINTABLE)]
Sku = Annotated[str, StringConstraints(max_length=100, strip_whitespace=True, pattern=_PRINTABLE)]
Title = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True, pattern=_PRINTABLE)]
Named = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z0-9_]+$")]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Seed = Annotated[int, Field(ge=0, lt=2**31)]

_PHOTO_ID = "pho_3f9c1a5be2d04c77a1b2c3d4"
_GARMENT_ID = "gar_8d07c1f2a6b54e39c0ffee01"
_TRY_ON_ID = "try_51e0b7d3c4a24f6e9a8b7c6d"
_UPLOAD_KEY = "uploads/sit_0a1b2c3d4e5f60718293a4b5/Zk3uV0b1c2d3e4f5g6h7i8j9"


def _in(*examples: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": list(examples)})


def _out(*examples: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": list(examples)})


class Problem(BaseModel):
    """RFC 9457 problem details. `code` is stable, `detail` says what to do about it."""

    model_config = _out(
        {
            "type": "/docs#photo_not_ready",
            "title": "Photo not ready",
            "status": 409,
            "code": "photo_not_ready",
            "detail": "Wait until the photo's status is ready.",
            "param": "photo_id",
            "request_id": "req_1f2e3d4c5b6a7988",
        }
    )
    type: str
    title: str
    status: int
    code: str
    detail: str
    param: str | None
    request_id: str


class ReasonOut(BaseModel):
    code: str
    detail: str


# --- callers -------------------------------------------------------------------------------------


class BootIn(BaseModel):
    model_config = _in({"garment": "TEE-SUNSET"})
    garment: Sku | None = None


class BootOut(BaseModel):
    boot_token: str
    widget_url: str
    expires_in_s: int


class ShopperTokenIn(BaseModel):
    """Empty: go on with the bearer token of this request, or with the resume cookie."""

    model_config = _in({"boot_token": "q6m1…"}, {})
    boot_token: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


class ShopperTokenOut(BaseModel):
    shopper_token: str
    expires_in_s: int
    resumed: bool = Field(description="Whether this shopper was here before.")


class LiveTicketOut(BaseModel):
    ticket: str
    expires_in_s: int


# --- uploads and photos --------------------------------------------------------------------------


class UploadIn(BaseModel):
    model_config = _in({"purpose": "photo", "content_type": "image/jpeg", "size_bytes": 734003})
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


class PhotoIn(BaseModel):
    model_config = _in({"key": _UPLOAD_KEY, "consent_version": "2026-11"})
    key: Key
    consent_version: Annotated[str, StringConstraints(max_length=40, pattern=_PRINTABLE)]


class PhotoChangeIn(BaseModel):
    model_config = _in({"person": 1})
    person: Annotated[int, Field(ge=0, le=99)]


class PhotoOut(BaseModel):
    id: Id
    status: PhotoStatus
    reasons: list[ReasonOut]
    hints: list[Any]
    people: list[Any] = Field(description="Boxes [x, y, width, height], fractions of the photo.")
    person: int | None
    width_px: int | None
    height_px: int | None
    created_at: Moment
    expires_at: Moment


# --- garments ------------------------------------------------------------------------------------


class GarmentIn(BaseModel):
    """One of `image_key` and `image_url`."""

    model_config = _in(
        {
            "sku": "TEE-SUNSET",
            "title": "Sunset tee",
            "category": "upper",
            "image_key": _UPLOAD_KEY,
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
    model_config = _in({"title": "Sunset tee, organic"})
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


# --- try-ons -------------------------------------------------------------------------------------


def _option(default: Any, name: str) -> Any:
    """A field whose description says which engines honour it."""
    engines = sorted(engine for engine, honoured in HONOURED.items() if name in honoured)
    who = f"by {', '.join(engines)}" if engines else "by no engine yet"
    said = f"Honoured {who}; another engine refuses it with `option_not_supported`."
    return Field(default=default, description=said)


class OptionsIn(BaseModel):
    model_config = _in({"seed": 7, "category": "upper"})
    category: Category | None = None
    seed: Seed | None = None
    num_inference_steps: Annotated[int, Field(ge=1, le=100)] | None = _option(
        None, "num_inference_steps"
    )
    guidance_scale: Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)] | None = _option(
        None, "guidance_scale"
    )
    keep_head: bool = _option(True, "keep_head")
    redraw_hands: bool = _option(True, "redraw_hands")
    loose_mask: bool = _option(True, "loose_mask")
    upscale: Literal[1, 2] = _option(1, "upscale")


class TryOnIn(BaseModel):
    model_config = _in({"photo_id": _PHOTO_ID, "garment_id": _GARMENT_ID})
    photo_id: Named
    garment_id: Named | None = None
    garment_ids: Annotated[list[Named], Field(max_length=10)] | None = None
    options: OptionsIn = OptionsIn()

    @model_validator(mode="after")
    def some_garment(self) -> Self:
        if (self.garment_id is None) == (not self.garment_ids):
            raise ValueError("send garment_id")
        return self

    def to_new(self) -> try_ons.NewTryOn:
        garment_id = self.garment_id or (self.garment_ids or [""])[0]
        return try_ons.NewTryOn(
            photo_id=self.photo_id,
            garment_id=garment_id,
            category=self.options.category,
            seed=self.options.seed,
            options=Options(**self.options.model_dump(include=set(OPTION_NAMES))),
        )


class TryOnChangeIn(BaseModel):
    model_config = _in({"liked": True})
    liked: bool | None = None
    reason: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")] | None = None
    shared: bool | None = None


class TimingsOut(BaseModel):
    queue: int | None
    model: int | None
    total: int | None


class FailureOut(BaseModel):
    code: str
    detail: str
    retryable: bool


class TryOnOut(BaseModel):
    model_config = _out(
        {
            "id": _TRY_ON_ID,
            "status": "queued",
            "position": 3,
            "eta_s": 4.5,
            "step": 0,
            "steps": 0,
            "photo_id": _PHOTO_ID,
            "garment_id": _GARMENT_ID,
            "category": "upper",
            "result_url": None,
            "width": None,
            "height": None,
            "engine": "preview",
            "is_preview": False,
            "tier": None,
            "seed": 7,
            "timings_ms": {"queue": None, "model": None, "total": None},
            "ai_generated": True,
            "error": None,
            "liked": None,
            "reason": None,
            "shared": False,
            "created_at": "2026-11-21T12:00:00+00:00",
            "expires_at": "2026-11-22T12:00:00+00:00",
        }
    )
    id: Id
    status: TryOnStatus
    position: int | None = Field(description="Place in line, 1 = next; null where it is not known.")
    eta_s: float | None
    step: int
    steps: int
    photo_id: Id | None
    garment_id: Id | None
    category: Category
    result_url: str | None = Field(
        description="Presigned, good for 5 minutes. For a secret key, null where a shopper's "
        "picture is not shared."
    )
    width: int | None
    height: int | None
    engine: str
    is_preview: bool
    tier: str | None
    seed: int
    timings_ms: TimingsOut
    ai_generated: Literal[True]
    error: FailureOut | None
    liked: bool | None
    reason: str | None
    shared: bool = Field(description="Whether the shopper lets the shop see her picture.")
    created_at: Moment
    expires_at: Moment


class TryOnsOut(BaseModel):
    try_ons: list[TryOnOut]
    next_cursor: str | None


# --- queries -------------------------------------------------------------------------------------


class PageQuery(BaseModel):
    model_config = _in({"limit": 20})
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class GarmentsQuery(PageQuery):
    sku: Sku | None = None


class TryOnsQuery(PageQuery):
    status: TryOnStatus | None = None
