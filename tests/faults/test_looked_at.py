"""14: RQ's registries are read all the time, also while a worker dies."""

from __future__ import annotations

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from gpu_worker.contract import queue_name
from gpu_worker.contract.words import Lane
from local.children import Child
from tests.faults.whole_service import PROMISED_S, WholeService
from tests.stage import ENGINE
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

READERS = 4
JOBS = 40


def read_registries(service: WholeService) -> list[Child]:
    """Four that ask for lengths and ids, as a dashboard does, and `rq info` beside them."""
    readers = [
        service.house.start("-m", "tests.faults.reader", log=f"reader-{n}.log")
        for n in range(READERS)
    ]
    info = ["-m", "rq.cli", "info", "--url", service.house.redis_url, "--interval", "0.3"]
    info += ["--serializer", "rq.serializers.JSONSerializer"]
    return [*readers, service.house.start(*info, log="info.log")]


def test_registries_are_read_all_the_while(service: WholeService) -> None:
    service.steward()
    readers = read_registries(service)
    for _ in range(JOBS // 2):
        service.order()
        service.order(site=service.house.other_shop)
    doomed = service.work(PROTEUS_NULL_CURVE="100,0,6000")
    wait_for(service.is_running)
    other = service.work()
    wait_for(service.finished)
    service.kill(doomed)
    service.work()
    counts = service.tell(14, "registries read all the while", f"{READERS} readers and rq info")
    assert counts.succeeded == JOBS
    assert service.recovered_s < PROMISED_S
    assert other.poll() is None
    assert [reader.poll() for reader in readers] == [None] * len(readers), service.logs()


def test_readers_take_no_job_away_from_a_worker_that_died(service: WholeService) -> None:
    """RQ's own cleanup, run by every look at a registry, would fail or double expired jobs."""
    service.order(6)
    doomed = service.work(PROTEUS_NULL_CURVE="200,0,50", PROTEUS_BATCH_SIZE="4")
    merchant = service.house.shop.merchant_id
    name = queue_name(ENGINE, Lane.LIVE, merchant)
    queue = Queue(name, connection=service.house.redis, serializer=JSONSerializer)
    wait_for(lambda: queue.started_job_registry.count == 4)
    service.kill(doomed)

    def lease_is_over() -> bool:
        assert queue.started_job_registry.count + queue.count == 6
        return not service.has_leases()

    wait_for(lease_is_over)
    service.house.steward()
    service.work()
    assert service.tell(14, "registries read after a worker died").succeeded == 6
