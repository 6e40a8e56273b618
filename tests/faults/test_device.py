"""18: a device that is short of memory, and one on which nothing runs any more."""

from __future__ import annotations

import pytest

from gpu_worker.worker import EXIT_DEVICE_LOST
from tests.faults.whole_service import BROKEN, PROMISED_S, WholeService

pytestmark = pytest.mark.faults

EIGHT = 8


def test_out_of_memory_halves_the_batch(service: WholeService) -> None:
    service.house.steward()
    service.order(EIGHT)
    service.struck()
    worker = service.work(*BROKEN, "short of memory", PROTEUS_NULL_CURVE="5,2,6")
    counts = service.tell(18, "out of memory above two samples")
    assert counts.succeeded == EIGHT
    assert worker.poll() is None
    assert "step of 8" in service.logs()
    assert "step of 2" in service.logs()  # halved, not one by one


def test_a_lost_device_ends_the_process_and_its_jobs_go_back(service: WholeService) -> None:
    service.house.steward()
    service.order(EIGHT)
    worker = service.work(*BROKEN, "device lost", PROTEUS_NULL_CURVE="20,2,6")
    assert worker.wait(90) == EXIT_DEVICE_LOST, service.logs()
    service.struck()
    assert not service.has_leases()  # whoever comes next need not wait
    service.work()
    counts = service.tell(18, "device lost")
    assert counts.succeeded == EIGHT
    assert service.recovered_s < PROMISED_S
