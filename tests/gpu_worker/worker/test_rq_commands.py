"""RQ's own commands, by its own program and its own calls, against a working worker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rq import Queue
from rq.command import (
    send_kill_horse_command,
    send_shutdown_command,
    send_stop_job_command,
)
from rq.serializers import JSONSerializer

from gpu_worker import contract
from gpu_worker.contract import EventType, Lane
from gpu_worker.engines.null import NullSample, RecordingEngine
from gpu_worker.storage.courier import TryOnCourier
from gpu_worker.worker import BatchWorker
from gpu_worker.worker.rq_side import RqSide
from tests import workshop
from tests.waiting import DEADLINE_S, wait_for
from tests.workshop import Workshop

QUEUE = "null:live:mer_ada"


@contextmanager
def working(shop: Workshop, engine: RecordingEngine, **changes: Any) -> Iterator[BatchWorker]:
    courier = TryOnCourier(shop.store, engine.name, engine.is_preview)
    with workshop.working(shop, engine, courier, **changes) as worker:
        yield worker


def rq(shop: Workshop, *argv: str) -> str:
    """What RQ's program says."""
    program = Path(sys.executable).with_name("rq")
    options = [] if argv[0] in {"suspend", "resume"} else ["-S", "json"]
    done = subprocess.run(
        [program, argv[0], "-u", shop.redis_url, *options, *argv[1:]],
        capture_output=True, text=True, check=False, timeout=DEADLINE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def queue(shop: Workshop) -> Queue:
    return Queue(QUEUE, connection=shop.redis, serializer=JSONSerializer)


def test_info_counts_what_waits_what_runs_and_who_works(shop: Workshop) -> None:
    engine = RecordingEngine(a_ms=20, steps=1000)
    shop.enqueue("try_1", "try_2", "try_3")
    with working(shop, engine, batch_size=2) as worker:
        wait_for(lambda: any(len(ids) == 2 for ids in engine.arrived))
        wait_for(lambda: shop.redis.hget(worker.rq.key, "queues") == QUEUE.encode())
        told = rq(shop, "info", "--raw")
        assert f"queue {QUEUE} 1, 2 executing, 0 finished, 0 failed" in told
        assert f"worker {worker.rq.name} " in told
        assert f" busy {QUEUE}" in told
        for job_id in shop.accepted:
            shop.jobs.cancel(job_id, "null", Lane.LIVE, "mer_ada")
        wait_for(lambda: shop.redis.hget(worker.rq.key, "state") == b"idle")
    assert rq(shop, "info", "--raw", "--only-workers").strip() == ""


def test_suspended_workers_claim_nothing_until_they_are_resumed(shop: Workshop) -> None:
    engine = RecordingEngine()
    rq(shop, "suspend")
    with working(shop, engine) as worker:
        shop.enqueue("try_1")
        wait_for(lambda: shop.redis.hget(worker.rq.key, "state") == b"suspended")
        wait_for(lambda: not shop.redis.llen(contract.bell_key("null")))
        assert not engine.arrived
        rq(shop, "resume")
        shop.wait_until_settled()
    assert engine.arrived == [["try_1"]]


def test_what_runs_is_finished_while_suspended(shop: Workshop) -> None:
    engine = RecordingEngine(a_ms=20, steps=20)
    shop.enqueue("try_1")
    with working(shop, engine):
        wait_for(lambda: engine.arrived)
        rq(shop, "suspend", "--duration", "60")
        shop.wait_until_settled()


def test_stop_job_stops_any_of_the_batch(shop: Workshop) -> None:
    engine = RecordingEngine(a_ms=20, steps=60)
    shop.enqueue("try_1", "try_2")
    with working(shop, engine):
        wait_for(lambda: engine.arrived)
        send_stop_job_command(shop.redis, "try_2", serializer=JSONSerializer)
        wait_for(lambda: shop.ends()["try_2"])
        shop.wait_until_settled()
    assert shop.ends() == {"try_1": [EventType.SUCCEEDED], "try_2": [EventType.CANCELLED]}


class Moody(RecordingEngine):
    """Fails until it is told better."""

    is_well = False

    def step(self, samples: list[NullSample]) -> None:  # type: ignore[override]
        if not self.is_well:
            raise RuntimeError("not today")
        super().step(samples)


@pytest.mark.parametrize("by", ["program", "call"])
def test_a_failed_job_that_is_requeued_runs_again(shop: Workshop, by: str) -> None:
    """RQ knows nothing of our ring: maintenance sees that somebody waits."""
    engine = Moody()
    shop.enqueue("try_1")
    with working(shop, engine):
        wait_for(lambda: queue(shop).failed_job_registry.get_job_ids() == ["try_1"])
        engine.is_well = True
        if by == "program":
            rq(shop, "requeue", "--queue", QUEUE, "try_1")
        else:
            queue(shop).failed_job_registry.requeue("try_1")
        wait_for(lambda: shop.events("try_1")[-1].type == EventType.SUCCEEDED)
        wait_for(shop.is_quiet)
    assert engine.arrived == [["try_1"]]


@pytest.mark.parametrize("by", ["program", "call"])
def test_an_emptied_queue_is_empty_and_goes_on(shop: Workshop, by: str) -> None:
    engine = RecordingEngine()
    shop.redis.set("rq:suspended", 1)
    shop.enqueue("try_1", "try_2")
    with working(shop, engine):
        if by == "program":
            rq(shop, "empty", QUEUE)
        else:
            queue(shop).empty()  # type: ignore[no-untyped-call]
        assert not shop.redis.keys("rq:job:*")
        rq(shop, "resume")
        ring = contract.ring_key("null", Lane.LIVE)
        wait_for(lambda: not shop.redis.exists(ring))
        shop.jobs.enqueue(shop.job("try_1"), "null")  # as the steward puts it back
        wait_for(lambda: shop.ends()["try_1"])
        wait_for(shop.is_quiet)
    assert engine.arrived == [["try_1"]]


def test_kill_horse_harms_nobody(shop: Workshop) -> None:
    engine = RecordingEngine(a_ms=20, steps=20)
    shop.enqueue("try_1")
    with working(shop, engine) as worker:
        wait_for(lambda: engine.arrived)
        send_kill_horse_command(shop.redis, worker.rq.name)
        shop.wait_until_settled()
        shop.enqueue("try_2")
        shop.wait_until_settled()
    assert all(types == [EventType.SUCCEEDED] for types in shop.ends().values())


@pytest.mark.process
def test_shutdown_finishes_what_runs_and_hands_back_the_rest(shop: Workshop) -> None:
    shop.enqueue(*(f"try_{n}" for n in range(8)))
    child = shop.start(PROTEUS_NULL_CURVE="20,0,30", PROTEUS_BATCH_SIZE="2")
    wait_for(lambda: any(e.type == EventType.RUNNING for e in shop.events()))
    (key,) = RqSide.all_keys(shop.redis)
    send_shutdown_command(shop.redis, key.removeprefix("rq:worker:"))
    assert child.wait(60) == 0, shop.logs()
    assert not shop.redis.keys(contract.lease_key("*"))
    ended = {job_id for job_id, types in shop.ends().items() if types}
    assert 2 <= len(ended) < 8
    assert queue(shop).count == 8 - len(ended)
