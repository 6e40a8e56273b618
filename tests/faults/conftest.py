"""Fixtures of the fault tests: worker processes alone (`shop`), the whole service (`service`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests import fork_server
from tests.faults.length import IS_LONG
from tests.faults.lines import PROPERTY
from tests.faults.whole_service import WholeService
from tests.services import S3Settings
from tests.stage import stage
from tests.workshop import Workshop, workshop

MakeService = Callable[..., AbstractContextManager[WholeService]]


@pytest.fixture(autouse=True)
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts workers and stewards as forks, which need no imports of their own; with `FAULTS=long`
    as in production."""
    if not IS_LONG:
        monkeypatch.setattr("tests.stage.spawn", fork_server.spawn)
        monkeypatch.setattr("tests.workshop.spawn", fork_server.spawn)


@pytest.fixture
def shop(redis_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Workshop]:
    with workshop(redis_url, store, tmp_path) as made:
        yield made


@pytest.fixture
def make_service(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> MakeService:
    """A function that makes a `WholeService` on a given Redis and store, maybe broken ones."""

    def record(line: str) -> None:
        print(line)
        request.node.user_properties.append((PROPERTY, line))

    @contextmanager
    def make(redis_url: str, store: S3Settings) -> Iterator[WholeService]:
        with stage(redis_url, postgres_url, store, tmp_path) as house:
            service = WholeService(house, record)
            yield service
            service.close()

    return make


@pytest.fixture
def service(make_service: MakeService, redis_url: str, store: S3Settings) -> Iterator[WholeService]:
    """A `WholeService` on the usual services; the test starts the processes."""
    with make_service(redis_url, store) as made:
        yield made
