"""Ada, Ben, Cleo and Sam in a world of real services. `world` is on SQLite, `any_world` on both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from server.infra.jobs import Jobs, connect
from tests.server.actors import Actor, World, settings, world_of
from tests.services import S3Settings
from tests.stage import Stage, stage


@pytest.fixture
def world(redis_url: str, sqlite_url: str, store: S3Settings) -> Iterator[World]:
    made = world_of(settings(redis_url, sqlite_url, store))
    yield made
    made.services.close()


@pytest.fixture
def any_world(redis_url: str, database_url: str, store: S3Settings) -> Iterator[World]:
    """For tests of rows: on SQLite, and then on PostgreSQL."""
    made = world_of(settings(redis_url, database_url, store))
    yield made
    made.services.close()


@pytest.fixture(scope="module")
def quiet_house(
    redis_service: str,
    sqlite_template: Path,
    rclone_service: S3Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """A stage for all tests of a file, with nothing served on it yet."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "proteus.db").write_bytes(sqlite_template.read_bytes())
    with stage(redis_service, f"sqlite:///{folder}/proteus.db", rclone_service, folder) as made:
        made.redis.flushall()
        yield made


@pytest.fixture
def redis(redis_url: str) -> Redis:
    return connect(redis_url)


@pytest.fixture
def jobs(redis: Redis) -> Jobs:
    return Jobs(redis)


@pytest.fixture
def ada(world: World) -> Actor:
    return world.ada


@pytest.fixture
def cleo(world: World) -> Actor:
    return world.cleo


@pytest.fixture
def sam(world: World) -> Actor:
    return world.sam


@pytest.fixture
def kim(world: World) -> Actor:
    return world.kim
