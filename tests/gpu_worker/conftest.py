"""Fixtures of the worker's tests: worker processes (`shop`), and cached drawings (`reader`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gpu_worker.reading import Reader
from tests.services import S3Settings
from tests.workshop import Workshop, workshop


@pytest.fixture
def shop(redis_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Workshop]:
    with workshop(redis_url, store, tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def reader(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Reads and draws through pytest's cache folder; if that is off, through one of this run."""
    kept = getattr(pytestconfig, "cache", None)
    return Reader(kept.mkdir("drawn") if kept else tmp_path_factory.mktemp("drawn"))
