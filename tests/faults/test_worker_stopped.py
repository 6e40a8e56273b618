"""Workers that are asked to go, that hang, and that find Redis or the store gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis

from gpu_worker import contract
from gpu_worker.contract import EventType
from server.local.children import Child, free_port, is_listening, spawn, stop
from server.local.parts import redis_program
from tests.services import S3Settings
from tests.workshop import Workshop, wait_for, workshop

pytestmark = pytest.mark.faults

JOBS = [f"try_{n}" for n in range(6)]


def has_steps(shop: Workshop) -> bool:
    return any(event.type == EventType.RUNNING for event in shop.events())


def losses(shop: Workshop) -> list[bytes | str | None]:
    return [shop.redis.hget(f"rq:job:{job_id}", "losses") for job_id in JOBS]


def test_asked_to_go_in_mid_batch_it_finishes_what_runs(shop: Workshop) -> None:
    shop.enqueue(*JOBS)
    worker = shop.start(PROTEUS_NULL_CURVE="40,0,30", PROTEUS_GRACE_S="8")
    wait_for(lambda: has_steps(shop))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(8) == 0
    done = [job_id for job_id, types in shop.ends().items() if types]
    assert len(done) == 4
    assert shop.redis.llen("rq:queue:null:live:mer_ada") == 2
    assert not shop.redis.keys("rq:wip:*")
    shop.start()
    shop.report("SIGTERM in mid-batch", shop.wait_until_settled())
    assert all(types == [EventType.SUCCEEDED] for types in shop.ends().values())


def test_asked_to_go_with_too_little_grace_it_hands_back(shop: Workshop) -> None:
    shop.enqueue(*JOBS)
    worker = shop.start(PROTEUS_NULL_CURVE="50,0,400", PROTEUS_GRACE_S="1")
    wait_for(lambda: has_steps(shop))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(3) == 0
    assert shop.redis.llen("rq:queue:null:live:mer_ada") == len(JOBS)
    assert losses(shop) == [None] * len(JOBS)
    shop.start()
    shop.report("SIGTERM, handed back", shop.wait_until_settled())


def test_asked_twice_it_goes_at_once(shop: Workshop) -> None:
    shop.enqueue(*JOBS)
    worker = shop.start(PROTEUS_NULL_CURVE="50,0,400", PROTEUS_GRACE_S="60")
    wait_for(lambda: has_steps(shop))
    worker.send_signal(signal.SIGTERM)
    wait_for(lambda: "told to stop" in shop.logs())
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(3) == 0
    assert shop.redis.llen("rq:queue:null:live:mer_ada") == len(JOBS)
    shop.start()
    shop.report("SIGTERM twice", shop.wait_until_settled())


def test_a_hung_step_ends_the_process_and_its_jobs_come_back(shop: Workshop) -> None:
    shop.enqueue(*JOBS)
    worker = shop.start(PROTEUS_NULL_CURVE="60000,0,1", PROTEUS_HARD_DEADLINE_S="1")
    assert worker.wait(15) == 70
    shop.start()
    shop.report("a step that hangs", shop.wait_until_settled())


def test_a_step_may_outlast_the_lease(shop: Workshop) -> None:
    shop.enqueue(*JOBS[:4])
    shop.start(PROTEUS_NULL_CURVE="4000,0,1")
    shop.report("a step longer than the lease", shop.wait_until_settled())
    assert all(len(types) == 1 for types in shop.ends().values())


def test_redis_forgets_everything(shop: Workshop) -> None:
    """The steward's part is played here: it puts back what has neither job nor lease."""
    shop.enqueue(*JOBS)
    worker = shop.start(PROTEUS_NULL_CURVE="40,0,30")
    wait_for(lambda: has_steps(shop))
    shop.redis.flushall()
    key = wait_for(lambda: shop.redis.keys(contract.worker_key("*")))
    assert worker.poll() is None
    for job_id in JOBS:
        shop.jobs.enqueue(shop.job(job_id), "null")
    seconds = shop.wait_until_settled()
    assert len(key) == 1
    shop.report("FLUSHALL in mid-batch", seconds)


# --- Redis and the store away --------------------------------------------------------------------


def durable_redis(folder: Path, port: int) -> Child:
    """As the local stack runs it: every write is on disk before it is acknowledged."""
    argv = [redis_program(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    argv += ["--dir", str(folder), "--appendonly", "yes", "--appendfsync", "always"]
    return spawn(argv, log=folder / "redis.log")


def answers(url: str) -> bool:
    try:
        with Redis.from_url(url) as client:
            return bool(client.ping())
    except OSError:
        return False
    except Exception as error:  # noqa: BLE001 loading its file, or not there yet
        return "refused" not in str(error) and "oading" not in str(error)


def test_redis_is_killed_in_mid_batch(store: S3Settings, tmp_path: Path) -> None:
    port = free_port()
    url, first = f"redis://127.0.0.1:{port}/0", durable_redis(tmp_path, port)
    wait_for(lambda: answers(url))
    with workshop(url, store, tmp_path) as shop:
        shop.enqueue(*JOBS)
        shop.start(PROTEUS_NULL_CURVE="40,0,60")
        wait_for(lambda: has_steps(shop))
        first.send_signal(signal.SIGKILL)
        first.wait()
        time.sleep(1.5)
        second = durable_redis(tmp_path, port)
        try:
            wait_for(lambda: answers(url))
            shop.report("Redis killed in mid-batch", shop.wait_until_settled())
        finally:
            stop(second)


def test_redis_comes_later_than_the_worker(store: S3Settings, tmp_path: Path) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with workshop(url, store, tmp_path) as shop:
        worker = shop.start()
        wait_for(lambda: "not there yet" in shop.logs())
        redis = durable_redis(tmp_path, port)
        try:
            wait_for(lambda: answers(url))
            shop.enqueue(*JOBS)
            shop.report("started before Redis", shop.wait_until_settled())
            assert worker.poll() is None
        finally:
            stop(redis)


def test_without_redis_it_still_goes_when_asked(store: S3Settings, tmp_path: Path) -> None:
    with workshop(f"redis://127.0.0.1:{free_port()}/0", store, tmp_path) as shop:
        worker = shop.start()
        wait_for(lambda: "not there yet" in shop.logs())
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(7) == 0


@pytest.fixture
def fragile_store(tmp_path: Path) -> tuple[list[Child], S3Settings]:
    """`rclone serve s3` in a process that this test may stop and continue."""
    folder = tmp_path / "store"
    (folder / "test").mkdir(parents=True)
    s3 = S3Settings(f"http://127.0.0.1:{free_port()}", "test", "AKIATEST", "x" * 30)
    argv = [str(Path(sys.executable).parent / "rclone"), "serve", "s3", str(folder)]
    argv += ["--addr", s3.endpoint_url.removeprefix("http://"), "--config", os.devnull]
    argv += ["--auth-key", f"{s3.access_key_id},{s3.secret_access_key}"]
    return [spawn(argv, log=tmp_path / "rclone.log")], s3


def test_the_store_is_away_when_results_are_stored(
    redis_url: str, fragile_store: tuple[list[Child], S3Settings], tmp_path: Path
) -> None:
    (store,), s3 = fragile_store
    port = int(s3.endpoint_url.rsplit(":", 1)[1])
    wait_for(lambda: is_listening(port))
    with workshop(redis_url, s3, tmp_path) as shop:
        shop.enqueue(*JOBS[:4])
        shop.start(PROTEUS_NULL_CURVE="40,0,30")
        wait_for(lambda: has_steps(shop))
        argv = list(map(str, store.args)) if isinstance(store.args, list) else []
        stop(store, with_signal=signal.SIGKILL)
        time.sleep(4)
        again = spawn(argv, log=tmp_path / "rclone.log")
        try:
            shop.report("the store away for 4 s", shop.wait_until_settled(within_s=60))
            assert all(types == [EventType.SUCCEEDED] for types in shop.ends().values())
        finally:
            stop(again)


# --- many, and for long --------------------------------------------------------------------------


def rss_mb(worker: Child) -> float:
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def test_two_hundred_jobs_leave_the_memory_as_it_was(shop: Workshop) -> None:
    worker = shop.start(PROTEUS_NULL_CURVE="0,0,1")
    shop.enqueue(*(f"warm_{n}" for n in range(40)))
    shop.wait_until_settled()
    before = rss_mb(worker)
    began = time.monotonic()
    shop.enqueue(*(f"try_{n}" for n in range(200)))
    shop.wait_until_settled(within_s=60)
    seconds = time.monotonic() - began
    grown = rss_mb(worker) - before
    print(f"200 jobs in {seconds:.1f} s, memory {before:.0f} MB, grown {grown:.1f} MB")
    assert grown < 15


def test_rq_info_tells_the_truth(shop: Workshop) -> None:
    shop.enqueue(*JOBS)
    shop.start(PROTEUS_NULL_CURVE="50,0,100")
    wait_for(lambda: has_steps(shop))
    argv = [sys.executable, "-m", "rq.cli", "info", "--url", shop.redis_url]
    argv += ["--serializer", "rq.serializers.JSONSerializer"]
    shown = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout
    print(shown)
    assert "null:live:mer_ada" in shown
    assert "1 workers" in shown
    assert "2 jobs total" in shown or "| 2" in shown
    assert "busy" in shown
