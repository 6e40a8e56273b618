"""From a phone's photo to a picture: tailor and preview engine, both as real processes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from gpu_worker.contract import Category, EventType, TryOnJob
from server.infra.jobs import Jobs
from tests.services import S3Settings
from tests.tailoring import OWNED, garment_job, photo_job, upload
from tests.workshop import Workshop, said, workshop


@pytest.fixture
def shop(redis_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Workshop]:
    with workshop(redis_url, store, tmp_path, engine="tailor") as made:
        yield made


@pytest.mark.process
def test_a_photo_and_a_garment_become_a_picture(shop: Workshop) -> None:
    shop.start()
    photo, garment = photo_job(), garment_job(upload_key="uploads/sit_1/gar_1")
    shop.store.put(photo.upload_key, upload("person_anna"), "image/jpeg")
    shop.store.put("uploads/sit_1/gar_1", upload("garment_tee_geo"), "image/jpeg")
    shop.accept(photo)
    shop.accept(garment)
    shop.wait_until_settled()
    assert {types[0] for types in shop.ends().values()} == {EventType.READY}
    shop.start("-m", "gpu_worker", "work", "preview")
    told = TryOnJob(
        **OWNED,
        accepted_at_ms=0,
        try_on_id="try_1",
        engine="preview",
        category=Category.UPPER,
        photo_key=photo.clean_key,
        photo_parts_key=photo.parts_key,
        garment_key=garment.clean_key,
        garment_parts_key=garment.parts_key,
        result_key="pictures/try_1.jpg",
    )
    Jobs(shop.redis).enqueue(told, "preview")
    shop.accepted.append("try_1")
    shop.wait_until_settled()
    event = shop.events("try_1")[-1]
    assert event.type == EventType.SUCCEEDED, said(event)
    assert event.data["is_preview"] is True
    picture = Image.open(io.BytesIO(shop.store.get("pictures/try_1.jpg", 10**7)))
    assert picture.size == (event.data["width"], event.data["height"])
    assert b"compositeSynthetic" in picture.info["xmp"]
