"""Fixtures of the fault tests: worker processes alone (`shop`), and the whole service (`road`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.faults import nursery
from tests.faults.length import IS_LONG
from tests.faults.lines import PROPERTY
from tests.faults.road import Road
from tests.services import S3Settings
from tests.stage import stage
from tests.workshop import Workshop, workshop

MakeRoad = Callable[..., AbstractContextManager[Road]]


@pytest.fixture(autouse=True)
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts workers and stewards as forks, which need no imports of their own; with `FAULTS=long`
    as in production."""
    if not IS_LONG:
        monkeypatch.setattr("tests.stage.spawn", nursery.spawn)
        monkeypatch.setattr("tests.workshop.spawn", nursery.spawn)


@pytest.fixture
def shop(redis_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Workshop]:
    with workshop(redis_url, store, tmp_path) as made:
        yield made


@pytest.fixture
def make_road(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> MakeRoad:
    """A function that makes a `Road` with the given Redis and store, which may be broken ones."""

    def record(line: str) -> None:
        print(line)
        request.node.user_properties.append((PROPERTY, line))

    @contextmanager
    def make(redis_url: str, store: S3Settings) -> Iterator[Road]:
        with stage(redis_url, postgres_url, store, tmp_path) as house:
            road = Road(house, record)
            yield road
            road.close()

    return make


@pytest.fixture
def road(make_road: MakeRoad, redis_url: str, store: S3Settings) -> Iterator[Road]:
    """A `Road` on the usual services; the test starts the processes."""
    with make_road(redis_url, store) as made:
        yield made
