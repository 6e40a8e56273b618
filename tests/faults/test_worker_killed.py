"""1: a worker killed at the worst moments. Each try-on ends once, within 30 s.

Real processes; a lease of 3 s, and once of 20 s as at the defaults.
"""

from __future__ import annotations

import signal

import pytest

from tests.faults.road import BROKEN, PROMISED_S, Road
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

MOMENTS = [
    "before the lease",
    "after the lease",
    "after the start",
    "in mid-batch",
    "after the result is stored",
    "after the event",
    "between two settlements",
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_killed(road: Road, moment: str) -> None:
    road.house.steward()
    road.order(6)
    doomed = road.work(*BROKEN, moment, PROTEUS_NULL_CURVE="2,2,3")
    assert doomed.wait(60) == -signal.SIGKILL, road.logs()
    road.struck()
    road.work(PROTEUS_NULL_CURVE="2,2,3")
    counts = road.tell(1, f"worker killed {moment}")
    assert counts.succeeded == 6
    assert road.recovered_s < PROMISED_S


@pytest.mark.timeout(240)
def test_a_worker_killed_at_the_defaults(road: Road) -> None:
    defaults = {"PROTEUS_LEASE_S": "20", "PROTEUS_MAINTENANCE_S": "5"}
    road.house.steward()
    road.order(4)
    doomed = road.work(PROTEUS_NULL_CURVE="200,0,6000", **defaults)
    wait_for(road.is_running)
    road.work(PROTEUS_NULL_CURVE="20,5,10", **defaults)
    wait_for(lambda: len(road.workers()) == 2)
    road.kill(doomed)
    counts = road.tell(1, "worker killed in mid-batch, lease 20 s")
    assert counts.succeeded == 4
    assert road.recovered_s < PROMISED_S
