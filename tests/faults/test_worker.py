"""The worker alone: long runs leave no trace, RQ sees it as it is, dependencies may come late."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gpu_worker.contract import EventType
from local.children import Child, free_port
from tests.faults.fragile import fragile_redis
from tests.services import S3Settings
from tests.waiting import wait_for
from tests.workshop import Workshop, workshop

pytestmark = pytest.mark.faults

JOBS = [f"try_{n}" for n in range(6)]


def has_steps(shop: Workshop) -> bool:
    return any(event.type == EventType.RUNNING for event in shop.events())


def test_redis_comes_later_than_the_worker(store: S3Settings, tmp_path: Path) -> None:
    port = free_port()
    with workshop(f"redis://127.0.0.1:{port}/0", store, tmp_path) as shop:
        worker = shop.start()
        wait_for(lambda: "not there yet" in shop.logs())
        with fragile_redis(tmp_path, port):
            shop.enqueue(*JOBS)
            shop.report("started before Redis", shop.wait_until_settled(within_s=60))
            assert worker.poll() is None


def test_without_redis_it_still_goes_when_asked(store: S3Settings, tmp_path: Path) -> None:
    with workshop(f"redis://127.0.0.1:{free_port()}/0", store, tmp_path) as shop:
        worker = shop.start()
        wait_for(lambda: "not there yet" in shop.logs())
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0


def rss_mb(worker: Child) -> float:
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def test_two_hundred_jobs_leave_the_memory_as_it_was(shop: Workshop) -> None:
    worker = shop.start(PROTEUS_NULL_CURVE="0,0,1")
    shop.enqueue(*(f"warm_{n}" for n in range(40)))
    shop.wait_until_settled(within_s=60)
    before = rss_mb(worker)
    shop.enqueue(*(f"try_{n}" for n in range(200)))
    shop.wait_until_settled(within_s=90)
    grown = rss_mb(worker) - before
    print(f"memory {before:.0f} MB, grown {grown:.1f} MB")
    assert grown < 15


def test_rq_info_tells_the_truth(shop: Workshop) -> None:
    shop.enqueue(*JOBS)
    # held fast: the law would soon find that all six cost no more than four
    shop.start(PROTEUS_NULL_CURVE="50,0,4000", PROTEUS_BATCH_SIZE="4")
    wait_for(lambda: has_steps(shop))
    argv = [sys.executable, "-m", "rq.cli", "info", "--url", shop.redis_url]
    argv += ["--serializer", "rq.serializers.JSONSerializer"]
    shown = subprocess.run(argv, capture_output=True, text=True, timeout=90, check=True).stdout
    assert "null:live:mer_ada" in shown
    assert "1 workers" in shown
    assert " 2, 4 executing" in shown
    assert "busy" in shown
