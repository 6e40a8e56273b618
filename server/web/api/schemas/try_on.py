"""Schemas of try-ons: to create, rate, list, and as answered."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, Field, StringConstraints, model_validator

from gpu_worker.contract import HONOURED, OPTION_NAMES, Category, Options, TryOnStatus
from server.domain import try_ons
from server.web.api.schemas.base import (
    GARMENT_ID,
    PHOTO_ID,
    TRY_ON_ID,
    Id,
    Moment,
    Named,
    PageQuery,
    Seed,
    given,
    taken,
)

T = TypeVar("T")


def _option(default: T, name: str) -> T:
    """A field whose description says which engines honour it."""
    engines = sorted(engine for engine, honoured in HONOURED.items() if name in honoured)
    others = "another engine refuses it" if engines else "every one refuses it"
    who = f"by {', '.join(engines)}" if engines else "by no engine yet"
    said = f"Honoured {who}; {others} with `option_not_supported`."
    return Field(default=default, description=said)


class OptionsIn(BaseModel):
    model_config = taken({"seed": 7, "category": "upper"})
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
    model_config = taken({"photo_id": PHOTO_ID, "garment_id": GARMENT_ID})
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
    model_config = taken({"liked": True})
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
    model_config = given(
        {
            "id": TRY_ON_ID,
            "status": "queued",
            "position": 3,
            "eta_s": 4.5,
            "step": 0,
            "steps": 0,
            "photo_id": PHOTO_ID,
            "garment_id": GARMENT_ID,
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


class TryOnsQuery(PageQuery):
    status: TryOnStatus | None = None
