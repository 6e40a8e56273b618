"""Merchants' servers, and the children that ask them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gpu_worker.confined import Pool
from gpu_worker.fetcher.courier import children
from gpu_worker.fetcher.download import Bounds
from tests.hostile_shop import HostileShop, hostile_shop

# What ends by itself may take as long as it likes here; what does not is asked for in haste.
BOUNDS = Bounds(max_bytes=1_000_000, head_s=60, total_s=60, allow_loopback=True)
HASTE = replace(BOUNDS, head_s=0.3, total_s=0.6)


@pytest.fixture
def merchant() -> Iterator[HostileShop]:
    with hostile_shop() as shop:
        yield shop


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """One child, so that each test meets what the one before has left of it."""
    pool = children(1, BOUNDS)
    yield pool
    pool.close()
