"""A tailor at work, in a workshop of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_worker.tailor import Tailor
from gpu_worker.tailor_courier import Limits, TailorCourier
from tests.services import S3Settings
from tests.workshop import Workshop, working, workshop


@pytest.fixture
def shop(redis_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Workshop]:
    with workshop(redis_url, store, tmp_path, engine="tailor") as made:
        yield made


@pytest.fixture
def tailor(shop: Workshop) -> Iterator[Workshop]:
    """The workshop while a tailor works in it."""
    limits = Limits(max_upload_bytes=2**20, min_side_px=256, max_side_px=2048)
    with working(shop, Tailor(), TailorCourier(shop.store, limits)):
        yield shop
