"""18: a device that is short of memory, and one on which nothing runs any more."""

from __future__ import annotations

import pytest

from gpu_worker.worker import EXIT_DEVICE_LOST
from tests.faults.road import BROKEN, PROMISED_S, Road

pytestmark = pytest.mark.faults

EIGHT = 8


def test_out_of_memory_halves_the_batch(road: Road) -> None:
    road.house.steward()
    road.order(EIGHT)
    road.struck()
    worker = road.work(*BROKEN, "short of memory", PROTEUS_NULL_CURVE="5,2,6")
    counts = road.tell(18, "out of memory above two samples")
    assert counts.succeeded == EIGHT
    assert worker.poll() is None
    assert "step of 8" in road.logs()
    assert "step of 2" in road.logs()  # halved, not one by one


def test_a_lost_device_ends_the_process_and_its_jobs_go_back(road: Road) -> None:
    road.house.steward()
    road.order(EIGHT)
    worker = road.work(*BROKEN, "device lost", PROTEUS_NULL_CURVE="20,2,6")
    assert worker.wait(90) == EXIT_DEVICE_LOST, road.logs()
    road.struck()
    assert not road.has_leases()  # whoever comes next need not wait
    road.work()
    counts = road.tell(18, "device lost")
    assert counts.succeeded == EIGHT
    assert road.recovered_s < PROMISED_S
