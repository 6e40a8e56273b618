"""22: the arbitrator is killed, its policy runs out, and another follows, while jobs run."""

from __future__ import annotations

import pytest

from gpu_worker.contract import Law
from tests.faults.road import UNHURRIED, Road
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

EIGHT, THREE = 8, 3
THE_LAWS = {"PROTEUS_BATCH_SIZE": ""}  # no size of its own: the policy's, or the law's


def test_the_arbitrator_is_killed_and_another_follows(road: Road) -> None:
    road.house.steward()
    road.order(EIGHT)
    doomed = road.arbitrate()
    wait_for(lambda: road.law() == Law.LEARNED)
    worker = road.work(PROTEUS_NULL_CURVE="20,10,40", **THE_LAWS, **UNHURRIED)
    wait_for(road.is_running)
    assert "applies the law alone" not in road.logs()
    road.kill(doomed)
    wait_for(lambda: road.law() is None)
    wait_for(lambda: "applies the law alone" in road.logs())
    road.order(THREE)  # for a worker alone
    alone = len(road.finished())
    wait_for(lambda: len(road.finished()) > alone)
    road.arbitrate()
    wait_for(lambda: "a policy is there" in road.logs())
    road.order()
    counts = road.tell(22, "arbitrator killed, its policy run out, another follows")
    assert counts.succeeded == EIGHT + THREE + 1
    assert worker.poll() is None
    assert not road.losses()
