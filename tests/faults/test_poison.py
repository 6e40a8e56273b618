"""3, 4, 5, 6: inputs that raise, kill or hang, and batches that outlast their lease.

Eight try-ons run together; the one with the seed `POISON` causes the fault.
"""

from __future__ import annotations

import signal

import pytest

from gpu_worker.contract import Reason
from gpu_worker.worker import EXIT_HUNG
from tests.faults.whole_service import BROKEN, POISON, PROMISED_S, UNHURRIED, WholeService
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

EIGHT = 8


def order_with_poison(service: WholeService, place: int) -> str:
    """Eight try-ons, the one at `place` poisoned; its id."""
    for seed in [1] * place + [POISON] + [1] * (EIGHT - place - 1):
        service.order(seed=seed)
    return service.accepted[place]


def test_one_of_eight_raises(service: WholeService) -> None:
    service.house.steward()
    poisoned = order_with_poison(service, 5)
    service.struck()
    service.work(*BROKEN, "one raises", PROTEUS_NULL_CURVE="5,2,4")
    counts = service.tell(3, "one input of eight raises")
    assert (counts.succeeded, counts.failed) == (7, {Reason.ENGINE_FAILED: 1})
    row = service.rows()[poisoned]
    assert (row.error_code, row.retryable) == (Reason.ENGINE_FAILED, True)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("place", [0, 3, 7])
def test_one_of_eight_kills_the_process(service: WholeService, place: int) -> None:
    """Whoever looks after the workers starts another each time."""
    service.house.steward()
    poisoned = order_with_poison(service, place)
    for _ in range(3):
        doomed = service.work(*BROKEN, "one kills", PROTEUS_NULL_CURVE="5,2,4")
        assert doomed.wait(90) == -signal.SIGKILL, service.logs()
        service.struck()
    service.work(*BROKEN, "one kills", PROTEUS_NULL_CURVE="5,2,4", **UNHURRIED)
    counts = service.tell(4, f"process killer at place {place} of eight")
    assert (counts.succeeded, counts.failed) == (7, {Reason.WORKER_LOST: 1})
    assert service.rows()[poisoned].error_code == Reason.WORKER_LOST
    assert service.recovered_s < PROMISED_S


def test_a_batch_hangs(service: WholeService) -> None:
    """No signal can end it: the process ends itself at the hard deadline."""
    service.house.steward()
    service.order(EIGHT)
    hung = service.work(PROTEUS_NULL_CURVE="600000,0,1", PROTEUS_HARD_DEADLINE_S="2")
    assert hung.wait(90) == EXIT_HUNG, service.logs()
    service.struck()
    service.work()
    counts = service.tell(5, "a batch hangs")
    assert counts.succeeded == EIGHT
    assert service.recovered_s < PROMISED_S


def test_a_batch_outlasts_its_lease(service: WholeService) -> None:
    """One step of 5 s, a lease of 3 s, and a second worker that would take what is lost."""
    service.house.steward()
    service.order(EIGHT)
    service.struck()
    service.work(PROTEUS_NULL_CURVE="5000,0,1")
    wait_for(service.has_leases)
    idle = service.work(PROTEUS_NULL_CURVE="5000,0,1")
    counts = service.tell(6, "a batch outlasts its lease")
    assert counts.succeeded == EIGHT
    assert idle.poll() is None
    assert all(row.started_at for row in service.rows().values())
