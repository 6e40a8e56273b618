"""A workshop for the fault tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import S3Settings
from tests.workshop import Workshop, workshop


@pytest.fixture
def shop(redis_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Workshop]:
    with workshop(redis_url, store, tmp_path) as made:
        yield made
