"""The worker processes that `bench.queue` compares, and their no-op job.

`python -m bench.queue_workers <kind> <redis url> <batch>`. Ours is the real batch worker, with its
leases, events and settling; only its engine draws nothing and its courier moves no files, as the
others' job does nothing either.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import redis
from rq import Queue, SimpleWorker, Worker
from rq.serializers import JSONSerializer

from gpu_worker.config import Settings
from gpu_worker.contract import EventData, EventType, Job, Reason
from gpu_worker.engine import Order, Picture, Pixels, SeededNoise
from gpu_worker.engines.null import NullEngine, NullSample
from gpu_worker.queue.redis import redis_client
from gpu_worker.storage.courier import Charge, Outcome
from gpu_worker.worker import build_worker

FORKING, SIMPLE, OURS = "forking", "simple", "ours"
ENGINE, QUEUE = "null", "nothing"
STARTS = "bench:starts"  # Redis list: when each job began, by the clock of its enqueueing
NOTED = "noted"  # prefix of ids of jobs that note their start; others do nothing at all
NO_PIXELS = np.zeros((8, 8, 3), np.uint8)


@cache
def _notes(url: str) -> Any:
    return redis.Redis.from_url(url)


def note(url: str, job_ids: Iterable[str]) -> None:
    began = time.time()
    times = [began for job_id in job_ids if job_id.startswith(NOTED)]
    if times:
        _notes(url).rpush(STARTS, *times)


def nothing(job_id: str) -> None:
    """The no-op job of RQ's own workers."""
    note(sys.argv[2], [job_id])


class NoEngine(NullEngine):
    """One step that takes no time and notes when each job began."""

    def __init__(self, url: str):
        super().__init__(0, 0, 1)
        self._url = url

    def step(self, samples: Sequence[NullSample]) -> None:
        note(self._url, [sample.order.id for sample in samples])
        for sample in samples:
            sample.step += 1

    def finish(self, _sample: NullSample) -> Picture:
        return Picture(NO_PIXELS)


class NoCourier:
    """A courier that fetches and stores nothing."""

    def outcome(self, _job: Job) -> None:
        return None

    def fetch(self, job: Any, _charge: Charge) -> Order:
        return Order(job.id, NO_PIXELS, NO_PIXELS, job.category, SeededNoise(0))

    def renew(self, order: Order) -> Order:
        return order

    def store_partial(self, _job: Job, _pixels: Pixels) -> None:
        """Nothing to store."""

    def withdraw(self, _job: Job) -> None:
        """Nothing to delete."""

    def deliver(self, _job: Job, _product: Picture, model_ms: int) -> Outcome:
        return Outcome(EventType.SUCCEEDED, {"model_ms": model_ms})

    def refused(self, _job: Job, reason: Reason, _data: EventData, retryable: bool) -> Outcome:
        return Outcome(EventType.FAILED, {"code": reason.value, "retryable": retryable})

    def tidy(self, _job: Job) -> None:
        """Nothing to clean up."""

    def close(self) -> None:
        """Nothing to close."""


def ours(url: str, batch: int) -> None:
    settings = Settings(redis_url=url, batch_size=batch)
    build_worker(redis_client(url), NoEngine(url), NoCourier(), settings).work()


def rqs(kind: Any) -> Callable[[str, int], None]:
    def work(url: str, _batch: int) -> None:
        connection = redis.Redis.from_url(url)
        queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)
        kind([queue], connection=connection, serializer=JSONSerializer).work(logging_level="ERROR")

    return work


WORKERS: dict[str, Callable[[str, int], None]] = {
    FORKING: rqs(Worker),
    SIMPLE: rqs(SimpleWorker),
    OURS: ours,
}

if __name__ == "__main__":
    WORKERS[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
