"""A garment as JSON; `cutout_url` is null until it is ready."""

from __future__ import annotations

from gpu_worker.contract import GarmentStatus
from server.infra.caller import CallerKind
from server.infra.store import Store
from server.models import Garment
from server.rendering.json import Json, reasons_of


def to_dict(garment: Garment, store: Store, *, reader: CallerKind = "user") -> Json:
    ready = garment.status == GarmentStatus.READY
    return {
        "id": garment.id,
        "sku": garment.sku,
        "title": garment.title,
        "category": garment.category.value,
        "status": garment.status.value,
        "reasons": reasons_of(garment.reasons, reader),
        "clean": garment.clean,
        "cutout_url": store.presign_get(garment.cutout_key) if ready else None,
        "width_px": garment.width_px,
        "height_px": garment.height_px,
        "created_at": garment.created_at.isoformat(),
    }
