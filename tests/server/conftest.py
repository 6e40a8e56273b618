"""Ada, Ben, Cleo and Sam in a world of real services. `world` is on SQLite, `any_world` on both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.actors import Actor, World, settings, world_of
from tests.services import S3Settings


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
