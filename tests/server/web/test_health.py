"""/healthz is not /readyz: a process that answers may still not be able to work."""

from __future__ import annotations

from typing import Any

from tests.server.actors import World


def test_all_is_well(world: World) -> None:
    assert world.anybody().get("/healthz").json == {"status": "ok"}
    answer: Any = world.anybody().get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "database": True, "redis": True, "store": True}


def test_what_is_away_is_named(world: World) -> None:
    world.lose_redis()
    world.lose_store()
    answer: Any = world.anybody().get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {
        "status": "unavailable", "database": True, "redis": False, "store": False,
    }  # fmt: skip
    assert int(answer.headers["Retry-After"]) > 0
    assert world.anybody().get("/healthz").status_code == 200
