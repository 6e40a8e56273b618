"""Jobs of tailor and fetcher, as the server makes them, and demo pictures as uploads."""

from __future__ import annotations

import io
import time
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from gpu_worker.contract import Category, FetchJob, GarmentJob, PhotoJob

PICTURES = Path(__file__).parent.parent / "embed/demo/static"
OWNED: dict[str, Any] = {"merchant_id": "mer_ada", "site_id": "sit_1"}


@cache
def upload(name: str) -> bytes:
    """`upload("person_anna")`: a demo picture at half its size, read in a third of the time."""
    picture = Image.open(PICTURES / f"{name}.jpg")
    out = io.BytesIO()
    picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BOX).save(
        out, "JPEG", quality=90
    )
    return out.getvalue()


def photo_job(id: str = "pho_1", **changes: Any) -> PhotoJob:  # noqa: A002
    told: dict[str, Any] = {
        "photo_id": id,
        "accepted_at_ms": round(time.time() * 1000),
        "upload_key": f"uploads/sit_1/{id}",
        "content_type": "image/jpeg",
        "clean_key": f"photos/{id}/photo.jpg",
        "parts_key": f"photos/{id}/parts.npz",
    }
    return PhotoJob(**{**OWNED, **told, **changes})


def garment_job(id: str = "gar_1", **changes: Any) -> GarmentJob:  # noqa: A002
    told: dict[str, Any] = {
        "garment_id": id,
        "accepted_at_ms": round(time.time() * 1000),
        "category": Category.UPPER,
        "clean_key": f"garments/{id}/garment.png",
        "parts_key": f"garments/{id}/parts.npz",
        "cutout_key": f"garments/{id}/cutout.png",
        "upload_key": f"uploads/sit_1/{id}",
    }
    return GarmentJob(**{**OWNED, **told, **changes})


def fetch_job(image_url: str, id: str = "gar_1", **changes: Any) -> FetchJob:  # noqa: A002
    told: dict[str, Any] = {
        "garment_id": id,
        "accepted_at_ms": round(time.time() * 1000),
        "image_url": image_url,
        "fetched_key": f"garments/{id}/fetched",
    }
    return FetchJob(**{**OWNED, **told, **changes})
