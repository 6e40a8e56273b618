"""A garment's picture on its way through the tailor."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.pictures import PHONE
from gpu_worker.contract import Category, Event, EventType, Reason
from gpu_worker.storage.courier import load_parts
from gpu_worker.vision import cutout
from tests.tailoring import PICTURES, garment_job, upload
from tests.workshop import Workshop, jpeg, pixels, said

TEE = upload("garment_tee_geo")


def told(tailor: Workshop, data: bytes | None, **changes: Any) -> Event:
    job = garment_job(**changes)
    if data is not None and job.upload_key is not None:
        tailor.store.put(job.upload_key, data, "image/jpeg")
    tailor.accept(job)
    tailor.wait_until_settled()
    return tailor.events(job.id)[-1]


def screen(tailor: Workshop) -> np.ndarray[Any, np.dtype[np.uint8]]:
    data = tailor.store.get("garments/gar_1/cutout.png", 10**7)
    image = Image.open(io.BytesIO(data))
    assert image.mode == "RGBA"
    return np.asarray(image)


def test_a_garment_becomes_ready(tailor: Workshop) -> None:
    event = told(tailor, (PICTURES / "garment_tee_geo.jpg").read_bytes())
    assert event.type == EventType.READY
    picture = pixels(tailor.store.get("garments/gar_1/garment.png", 10**8))
    assert picture.shape == (event.data["height"], event.data["width"], 3)
    parts = load_parts(tailor.store.get("garments/gar_1/parts.npz", 10**7))
    assert cutout.fits(parts, picture, Category.UPPER)
    assert tailor.store.metadata("uploads/sit_1/gar_1") is None
    _is_small_and_transparent_around_the_garment(screen(tailor))


@pytest.mark.parametrize(
    ("name", "category"),
    [("tshirt_18b6", Category.UPPER), ("pants_eaa3", Category.LOWER),
     ("dress_cbf4", Category.OVERALL)],
)  # fmt: skip
def test_what_a_phone_took_becomes_ready(tailor: Workshop, name: str, category: Category) -> None:
    taken = (PHONE / f"phone_{name}.jpg").read_bytes()
    assert told(tailor, taken, category=category).type == EventType.READY
    parts = load_parts(tailor.store.get("garments/gar_1/parts.npz", 10**7))
    picture = pixels(tailor.store.get("garments/gar_1/garment.png", 10**8))
    assert cutout.fits(parts, picture, category)


def _is_small_and_transparent_around_the_garment(shown: np.ndarray[Any, Any]) -> None:
    assert max(shown.shape[:2]) == 512
    assert shown[0, 0, 3] == 0
    assert shown[shown.shape[0] // 2, shown.shape[1] // 2, 3] == 255


def test_another_picture_of_the_same_garment_is_cleaned_anew(tailor: Workshop) -> None:
    told(tailor, TEE)
    dress = upload("garment_dress_floral")
    again = {"upload_key": "uploads/sit_1/second", "category": Category.OVERALL}
    assert told(tailor, dress, **again).type == EventType.READY
    parts = load_parts(tailor.store.get("garments/gar_1/parts.npz", 10**7))
    picture = pixels(tailor.store.get("garments/gar_1/garment.png", 10**8))
    assert cutout.fits(parts, picture, Category.OVERALL)


def test_a_garment_is_cleaned_again_although_its_upload_is_gone(tailor: Workshop) -> None:
    first = told(tailor, TEE)
    tailor.store.delete("garments/gar_1/cutout.png")
    tailor.store.delete("garments/gar_1/parts.npz")
    again = told(tailor, None)
    assert (again.type, said(again)) == (first.type, said(first))
    assert tailor.store.metadata("garments/gar_1/parts.npz") is not None


def white_shirt_without_ground() -> bytes:
    """A white garment as shops send it: transparent all around. On white it would vanish."""
    alpha = np.asarray(Image.open(io.BytesIO(TEE)).convert("L")) < 215
    rgba = np.full((*alpha.shape, 4), 250, np.uint8)
    rgba[..., 3] = alpha * 255
    out = io.BytesIO()
    Image.fromarray(rgba).save(out, "PNG")
    return out.getvalue()


def test_a_white_garment_without_ground_is_seen(tailor: Workshop) -> None:
    assert told(tailor, white_shirt_without_ground()).type == EventType.READY
    shown = screen(tailor)
    assert 0.1 < (shown[..., 3] > 127).mean() < 0.95
    assert shown[shown[..., 3] == 255][:, :3].min() >= 245


def noise() -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 255, (400, 400, 3), np.uint8)
    Image.fromarray(pixels).save(out, "JPEG", quality=60)
    return out.getvalue()


REFUSED: list[tuple[str, Callable[[], bytes | None], Reason]] = [
    ("on a model", lambda: upload("person_anna"), Reason.GARMENT_ON_MODEL),
    ("no plain ground", noise, Reason.GARMENT_BACKGROUND_NOT_PLAIN),
    (
        "on a hanger in a shop",
        (PHONE / "busy_tshirt_01fd.jpg").read_bytes,
        Reason.GARMENT_BACKGROUND_NOT_PLAIN,
    ),
    ("nothing on it", lambda: jpeg(400, 400), Reason.GARMENT_NOT_FOUND),
    ("not an image", lambda: b"%PDF-1.7", Reason.NOT_AN_IMAGE),
    ("nothing uploaded", lambda: None, Reason.UPLOAD_MISSING),
]


@pytest.mark.parametrize(("make", "reason"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refusals(tailor: Workshop, make: Callable[[], bytes | None], reason: Reason) -> None:
    event = told(tailor, make())
    assert event.type == EventType.REJECTED
    assert event.data["reasons"] == [reason.value]


def test_without_cleaning_the_picture_is_taken_as_it_is(tailor: Workshop) -> None:
    assert told(tailor, noise(), clean=False).type == EventType.READY
    assert tailor.store.metadata("garments/gar_1/parts.npz") is None
    assert screen(tailor)[..., 3].min() == 255


def test_a_job_of_an_earlier_version_that_would_have_to_be_fetched_ends_unheard(
    tailor: Workshop,
) -> None:
    """The steward sees that it is gone, and has the picture fetched."""
    assert told(tailor, None, upload_key=None).type == EventType.CANCELLED
