"""1: a worker killed at the worst moments. Each try-on ends once, within 30 s.

Real processes; a lease of 3 s, and once of 20 s as at the defaults.
"""

from __future__ import annotations

import signal

import pytest

from tests.faults.whole_service import BROKEN, PROMISED_S, WholeService
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
def test_a_worker_killed(service: WholeService, moment: str) -> None:
    service.house.steward()
    service.order(6)
    doomed = service.work(*BROKEN, moment, PROTEUS_NULL_CURVE="2,2,3")
    assert doomed.wait(60) == -signal.SIGKILL, service.logs()
    service.struck()
    service.work(PROTEUS_NULL_CURVE="2,2,3")
    counts = service.tell(1, f"worker killed {moment}")
    assert counts.succeeded == 6
    assert service.recovered_s < PROMISED_S


@pytest.mark.timeout(240)
def test_a_worker_killed_at_the_defaults(service: WholeService) -> None:
    defaults = {"PROTEUS_LEASE_S": "20", "PROTEUS_MAINTENANCE_S": "5"}
    service.house.steward()
    service.order(4)
    doomed = service.work(PROTEUS_NULL_CURVE="200,0,6000", **defaults)
    wait_for(service.is_running)
    service.work(PROTEUS_NULL_CURVE="20,5,10", **defaults)
    wait_for(lambda: len(service.workers()) == 2)
    service.kill(doomed)
    counts = service.tell(1, "worker killed in mid-batch, lease 20 s")
    assert counts.succeeded == 4
    assert service.recovered_s < PROMISED_S
