"""3, 4, 5, 6: inputs that raise, kill or hang, and batches that outlast their lease.

Eight try-ons run together; the one with the seed `POISON` causes the fault.
"""

from __future__ import annotations

import signal

import pytest

from gpu_worker.contract import Reason
from gpu_worker.worker import EXIT_HUNG
from tests.faults.road import BROKEN, POISON, PROMISED_S, UNHURRIED, Road
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

EIGHT = 8


def order_with_poison(road: Road, place: int) -> str:
    """Eight try-ons, the one at `place` poisoned; its id."""
    for seed in [1] * place + [POISON] + [1] * (EIGHT - place - 1):
        road.order(seed=seed)
    return road.accepted[place]


def test_one_of_eight_raises(road: Road) -> None:
    road.house.steward()
    poisoned = order_with_poison(road, 5)
    road.struck()
    road.work(*BROKEN, "one raises", PROTEUS_NULL_CURVE="5,2,4")
    counts = road.tell(3, "one input of eight raises")
    assert (counts.succeeded, counts.failed) == (7, {Reason.ENGINE_FAILED: 1})
    row = road.rows()[poisoned]
    assert (row.error_code, row.retryable) == (Reason.ENGINE_FAILED, True)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("place", [0, 3, 7])
def test_one_of_eight_kills_the_process(road: Road, place: int) -> None:
    """Whoever looks after the workers starts another each time."""
    road.house.steward()
    poisoned = order_with_poison(road, place)
    for _ in range(3):
        doomed = road.work(*BROKEN, "one kills", PROTEUS_NULL_CURVE="5,2,4")
        assert doomed.wait(90) == -signal.SIGKILL, road.logs()
        road.struck()
    road.work(*BROKEN, "one kills", PROTEUS_NULL_CURVE="5,2,4", **UNHURRIED)
    counts = road.tell(4, f"process killer at place {place} of eight")
    assert (counts.succeeded, counts.failed) == (7, {Reason.WORKER_LOST: 1})
    assert road.rows()[poisoned].error_code == Reason.WORKER_LOST
    assert road.recovered_s < PROMISED_S


def test_a_batch_hangs(road: Road) -> None:
    """No signal can end it: the process ends itself at the hard deadline."""
    road.house.steward()
    road.order(EIGHT)
    hung = road.work(PROTEUS_NULL_CURVE="600000,0,1", PROTEUS_HARD_DEADLINE_S="2")
    assert hung.wait(90) == EXIT_HUNG, road.logs()
    road.struck()
    road.work()
    counts = road.tell(5, "a batch hangs")
    assert counts.succeeded == EIGHT
    assert road.recovered_s < PROMISED_S


def test_a_batch_outlasts_its_lease(road: Road) -> None:
    """One step of 5 s, a lease of 3 s, and a second worker that would take what is lost."""
    road.house.steward()
    road.order(EIGHT)
    road.struck()
    road.work(PROTEUS_NULL_CURVE="5000,0,1")
    wait_for(road.has_leases)
    idle = road.work(PROTEUS_NULL_CURVE="5000,0,1")
    counts = road.tell(6, "a batch outlasts its lease")
    assert counts.succeeded == EIGHT
    assert idle.poll() is None
    assert all(row.started_at for row in road.rows().values())
