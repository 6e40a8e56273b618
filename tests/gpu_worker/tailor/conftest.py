"""A tailor at work, in a workshop of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_worker.config import Settings
from gpu_worker.decoders import Decoders
from gpu_worker.tailor import Tailor
from gpu_worker.tailor.courier import Limits, TailorCourier
from tests.services import S3Settings
from tests.workshop import Workshop, working, workshop


@pytest.fixture
def shop(redis_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Workshop]:
    with workshop(redis_url, store, tmp_path, engine="tailor") as made:
        yield made


@pytest.fixture(scope="session")
def decoders() -> Iterator[Decoders]:
    """One warm set for all tests."""
    settings = Settings()
    made = Decoders(2, 20, settings.decode_memory_bytes, settings.max_pixels)
    yield made
    made.close()


@pytest.fixture
def tailor(shop: Workshop, decoders: Decoders) -> Iterator[Workshop]:
    """The workshop while a tailor works in it."""
    limits = Limits(max_upload_bytes=2**20, min_side_px=256, max_side_px=2048)
    with working(shop, Tailor(), TailorCourier(shop.store, decoders, limits)):
        yield shop
