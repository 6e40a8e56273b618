"""POST /v1/live-tickets: good once, for 30 seconds, for exactly this caller."""

from __future__ import annotations

from typing import Any

from server.auth import redeem_live_ticket
from tests.server.actors import World, code


def test_a_ticket_names_its_caller_once(world: World) -> None:
    answer: Any = world.sam.post("/v1/live-tickets")
    assert (answer.status_code, answer.json["expires_in_s"]) == (201, 30)
    caller = redeem_live_ticket(world.services, answer.json["ticket"])
    assert caller is not None
    assert (caller.kind, caller.shopper_id) == ("shopper", world.shopper_id(world.sam))
    assert redeem_live_ticket(world.services, answer.json["ticket"]) is None


def test_a_backend_gets_one_for_its_site(world: World) -> None:
    answer: Any = world.ada.post("/v1/live-tickets")
    caller = redeem_live_ticket(world.services, answer.json["ticket"])
    assert caller == world.ada.caller


def test_it_runs_out(world: World) -> None:
    world.sam.post("/v1/live-tickets")
    [key] = list(world.services.redis.scan_iter("proteus:ticket:*"))
    assert 25 < int(world.services.redis.ttl(key)) <= 30


def test_refusals(world: World) -> None:
    assert code(world.anybody().post("/v1/live-tickets")) == (401, "not_authenticated")
    assert redeem_live_ticket(world.services, "made up") is None
    world.lose_redis()
    assert code(world.sam.post("/v1/live-tickets")) == (503, "unavailable")
