"""A try-on as JSON; `result_url` is null for readers who may not see the picture."""

from __future__ import annotations

from gpu_worker.contract import TryOnStatus
from server.infra.caller import CallerKind, sees_picture
from server.infra.store import Store
from server.models import TryOn, now
from server.rendering.json import Json, reason_of


def to_dict(row: TryOn, store: Store, *, reader: CallerKind = "shopper") -> Json:
    return {
        "id": row.id,
        "status": row.status.value,
        "position": row.position,
        "eta_s": row.eta_s,
        "step": row.step,
        "steps": row.steps,
        "photo_id": row.photo_id,
        "garment_id": row.garment_id,
        "category": row.category.value,
        "result_url": _result_url(row, store, reader),
        "width": row.width,
        "height": row.height,
        "engine": row.engine,
        "is_preview": row.is_preview,
        "tier": row.tier,
        "seed": row.seed,
        "timings_ms": {"queue": row.queue_ms, "model": row.model_ms, "total": row.total_ms},
        "ai_generated": True,
        "error": error_of(row, reader),
        "liked": row.liked,
        "reason": row.like_reason,
        "shared": row.shared,
        "created_at": row.created_at.isoformat(),
        "expires_at": row.expires_at.isoformat(),
    }


def error_of(row: TryOn, reader: CallerKind) -> Json | None:
    """Why it failed, as code and sentence, and whether a retry may help; None if it did not."""
    if row.error_code is None:
        return None
    return {**reason_of(row.error_code, reader), "retryable": row.retryable}


def _result_url(row: TryOn, store: Store, reader: CallerKind) -> str | None:
    gone = row.deleted_at is not None or row.expires_at <= now()
    there = row.status == TryOnStatus.SUCCEEDED and not gone
    if row.result_key is None or not there or not sees_picture(reader, row):
        return None
    return store.presign_get(row.result_key)
