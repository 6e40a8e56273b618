"""22: the arbitrator is killed, its policy runs out, and another follows, while jobs run."""

from __future__ import annotations

import pytest

from gpu_worker.contract import Law
from tests.faults.whole_service import UNHURRIED, WholeService
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

EIGHT, THREE = 8, 3
THE_LAWS = {"PROTEUS_BATCH_SIZE": ""}  # no size of its own: the policy's, or the law's


def test_the_arbitrator_is_killed_and_another_follows(service: WholeService) -> None:
    service.house.steward()
    service.order(EIGHT)
    doomed = service.arbitrate()
    wait_for(lambda: service.law() == Law.LEARNED)
    worker = service.work(PROTEUS_NULL_CURVE="20,10,40", **THE_LAWS, **UNHURRIED)
    wait_for(service.is_running)
    assert "applies the law alone" not in service.logs()
    service.kill(doomed)
    wait_for(lambda: service.law() is None)
    wait_for(lambda: "applies the law alone" in service.logs())
    service.order(THREE)  # for a worker alone
    alone = len(service.finished())
    wait_for(lambda: len(service.finished()) > alone)
    service.arbitrate()
    wait_for(lambda: "a policy is there" in service.logs())
    service.order()
    counts = service.tell(22, "arbitrator killed, its policy run out, another follows")
    assert counts.succeeded == EIGHT + THREE + 1
    assert worker.poll() is None
    assert not service.losses()
