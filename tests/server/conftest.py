"""Fixtures of the server's tests: `world` on SQLite, `any_world` on both; `house` for processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from redis import Redis

from server.infra.jobs import Jobs, connect
from server.steward.steward import Steward
from tests import databases
from tests.server.actors import Actor, World, settings, settled, world_of
from tests.server.people import People, settle
from tests.services import S3Settings
from tests.stage import Stage, stage


class MakeWorld(Protocol):
    def __call__(self, *, store: S3Settings = ..., **changes: Any) -> World: ...


@pytest.fixture(scope="session")
def sqlite_people(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, People]:
    """A template SQLite file with all people in it, and their ids."""
    path = tmp_path_factory.mktemp("people") / "people.db"
    return path, settled(databases.copied(sqlite_template, path), settle)


@pytest.fixture(scope="session")
def postgres_people(postgres_service: str) -> Iterator[tuple[str, People]]:
    """The name of a template database with all people in it, and their ids."""
    with databases.postgres_database(postgres_service, like=databases.TABLES) as url:
        yield databases.name_of(url), settled(url, settle)


@pytest.fixture
def sqlite_peopled(sqlite_people: tuple[Path, People], tmp_path: Path) -> tuple[str, People]:
    template, people = sqlite_people
    return databases.copied(template, tmp_path / "people.db"), people


@pytest.fixture
def postgres_peopled(
    postgres_service: str, postgres_people: tuple[str, People]
) -> Iterator[tuple[str, People]]:
    template, people = postgres_people
    with databases.postgres_database(postgres_service, like=template) as url:
        yield url, people


@contextmanager
def worlds(redis_url: str, peopled: tuple[str, People], store: S3Settings) -> Iterator[MakeWorld]:
    """Yields a function that makes worlds on one database, with other settings; closes them."""
    url, people = peopled
    made: list[World] = []

    def make(*, store: S3Settings = store, **changes: Any) -> World:
        made.append(world_of(settings(redis_url, url, store, **changes), people))
        return made[-1]

    yield make
    for world in made:
        world.services.close()


@pytest.fixture
def make_world(
    redis_url: str, sqlite_peopled: tuple[str, People], store: S3Settings
) -> Iterator[MakeWorld]:
    """A function that makes a world with other settings. The app serves the newest world."""
    with worlds(redis_url, sqlite_peopled, store) as make:
        yield make


@pytest.fixture(params=["sqlite", "postgres"])
def make_any_world(
    request: pytest.FixtureRequest, redis_url: str, store: S3Settings
) -> Iterator[MakeWorld]:
    peopled = request.getfixturevalue(f"{request.param}_peopled")
    with worlds(redis_url, peopled, store) as make:
        yield make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


@pytest.fixture
def any_world(make_any_world: MakeWorld) -> World:
    """For tests of rows: on SQLite, and then on PostgreSQL."""
    return make_any_world()


@pytest.fixture
def house(redis_url: str, database_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Stage]:
    with stage(redis_url, database_url, store, tmp_path) as made:
        yield made


@pytest.fixture
def steward(house: Stage) -> Steward:
    return Steward(house.services, "first")


@pytest.fixture(scope="module")
def quiet_house(
    redis_service: str,
    sqlite_template: Path,
    rclone_service: S3Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """A harness for all tests of a file; they start what they need."""
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
