"""Each test has a fresh world though all share an app: rows, Redis, limits, logins, objects."""

from __future__ import annotations

import pytest

from server.auth import limits
from server.infra.services import EXTENSION
from server.models import Garment
from tests.server.actors import SERVER, World
from tests.server.conftest import MakeWorld

_apps: list[object] = []


@pytest.mark.parametrize("turn", [1, 2])
def test_a_world_is_as_new_and_its_app_is_not(any_world: World, turn: int) -> None:
    world = any_world
    _apps.append(world.app)
    assert _apps[0] is world.app
    assert world.services.redis.dbsize() == 0
    with world.services.read() as session:
        assert session.query(Garment).count() == 0
    world.garment()
    assert world.ada.get("/v1/garments").status_code == 200
    assert world.services.redis.dbsize() > 0  # what the limits count


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_breaks_is_its_own(world: World, turn: int) -> None:
    assert world.anybody().get("/readyz").status_code == 200
    world.lose_redis()
    world.lose_store()
    assert world.anybody().get("/readyz").status_code == 503


@pytest.mark.parametrize("turn", [1, 2])
def test_nobody_is_logged_in_and_no_limit_is_spent(make_world: MakeWorld, turn: int) -> None:
    world = make_world(rate_limit=10)
    assert [world.ada.get("/v1/garments").status_code for _ in range(11)][9:] == [200, 429]
    somebody = world.anybody()
    assert somebody.get("/dashboard/", base_url=SERVER).status_code == 302


def test_a_limiter_that_lost_its_redis_counts_there_again(make_world: MakeWorld) -> None:
    limits.limiter._storage_dead = True
    world = make_world()
    world.ada.get("/v1/garments")
    assert list(world.services.redis.scan_iter("LIMITS:*"))


def test_the_newest_world_is_served(make_world: MakeWorld) -> None:
    first, second = make_world(), make_world()
    assert first.app is second.app
    assert second.app.extensions[EXTENSION] is second.services
