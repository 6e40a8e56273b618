"""A workshop and a road for the fault tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests import nursery
from tests.faults.length import IS_LONG
from tests.faults.lines import PROPERTY
from tests.faults.road import Road
from tests.services import S3Settings
from tests.stage import stage
from tests.workshop import Workshop, workshop

MakeRoad = Callable[..., AbstractContextManager[Road]]


@pytest.fixture(autouse=True)
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers and stewards need not import everything each; at full length they are started as in
    service."""
    if not IS_LONG:
        monkeypatch.setattr("tests.stage.spawn", nursery.spawn)
        monkeypatch.setattr("tests.workshop.spawn", nursery.spawn)


@pytest.fixture
def shop(redis_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Workshop]:
    with workshop(redis_url, store, tmp_path) as made:
        yield made


@pytest.fixture
def make_road(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> MakeRoad:
    """Builds a road on a Redis and a store of the test's own."""

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
    """Nothing runs yet."""
    with make_road(redis_url, store) as made:
        yield made
