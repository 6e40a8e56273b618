"""Test harness of worker processes: a real Redis, a store with pictures, and the processes.

Enqueues as the server does, reads events as the steward does, and counts how jobs ended.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from redis import Redis

from gpu_worker import contract
from gpu_worker.config import Settings
from gpu_worker.contract import (
    OPTION_NAMES,
    Category,
    Event,
    EventType,
    Job,
    Lane,
    Options,
    TryOnJob,
)
from gpu_worker.queue.redis import redis_client
from gpu_worker.scheduling.loop import AnySteps
from gpu_worker.storage.courier import AnyCourier
from gpu_worker.storage.store import Store, connect
from gpu_worker.worker import BatchWorker, build_worker
from local.children import Child, spawn, stop
from server.infra.jobs import Jobs
from tests import marks
from tests.services import S3Settings
from tests.waiting import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ENDS = {EventType.SUCCEEDED, EventType.FAILED, EventType.CANCELLED}
ENDS |= {EventType.FETCHED, EventType.READY, EventType.REJECTED}


def jpeg(
    width: int = 96, height: int = 128, colour: tuple[int, int, int] = (200, 120, 80)
) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "JPEG")
    return out.getvalue()


def said(event: Event) -> dict[str, Any]:
    """An event's data without `carry_ms`, which differs from run to run."""
    return {name: value for name, value in event.data.items() if name != "carry_ms"}


@dataclass
class Workshop:
    """The harness of one engine: its queue and its worker processes. `end` stops them."""

    redis_url: str
    s3: S3Settings
    folder: Path
    engine: str = "null"

    def __post_init__(self) -> None:
        self.redis = Redis.from_url(self.redis_url)
        self.settings = Settings(
            redis_url=self.redis_url,
            s3_endpoint_url=self.s3.endpoint_url,
            s3_bucket=self.s3.bucket,
            aws_access_key_id=self.s3.access_key_id,
            aws_secret_access_key=self.s3.secret_access_key,
            lease_s=3,
            maintenance_s=1,
            max_wait_ms=500,
            grace_s=5,
        )
        self.store = Store(
            _client(self.settings.model_copy(update={"s3_bucket": "any"})), self.s3.bucket
        )
        self.jobs = Jobs(self.redis)
        self.workers: list[Child] = []
        self.accepted: list[str] = []
        self.store.put("photo.jpg", jpeg(), "image/jpeg")
        self.store.put("garment.png", jpeg(64, 64, (10, 20, 200)), "image/png")

    # --- the server's side -----------------------------------------------------------------------

    def job(self, job_id: str, merchant: str = "mer_ada", **changes: Any) -> TryOnJob:
        told: dict[str, Any] = {
            "merchant_id": merchant,
            "site_id": "sit_1",
            "accepted_at_ms": round(time.time() * 1000),
            "try_on_id": job_id,
            "engine": self.engine,
            "category": Category.UPPER,
            "photo_key": "photo.jpg",
            "garment_key": "garment.png",
            "result_key": f"pictures/{job_id}.jpg",
        }
        asked = {name: changes.pop(name) for name in OPTION_NAMES & changes.keys()}
        return TryOnJob(**{**told, **changes}, options=Options(**asked))

    def enqueue(
        self, *ids: str, merchant: str = "mer_ada", lane: Lane = Lane.LIVE, **changes: Any
    ) -> None:
        for job_id in ids:
            self.accept(self.job(job_id, merchant, **changes), lane)

    def accept(self, job: Job, lane: Lane = Lane.LIVE) -> None:
        self.jobs.enqueue(job, self.engine, lane)
        self.accepted.append(job.row_id)

    # --- the steward's side ----------------------------------------------------------------------

    def events(self, job_id: str | None = None) -> list[Event]:
        entries: Any = self.redis.xrange(contract.EVENTS)
        events = [Event.from_json(fields[b"event"]) for _, fields in entries]
        return [event for event in events if job_id in (None, event.id)]

    def ends(self) -> dict[str, list[EventType]]:
        """By accepted job: the types of its final events, which should be one."""
        ends: dict[str, list[EventType]] = {job_id: [] for job_id in self.accepted}
        for event in self.events():
            if event.type in ENDS:
                ends[event.id].append(event.type)
        return ends

    def all_ended(self) -> bool:
        return all(self.ends().values())

    def is_quiet(self) -> bool:
        """Whether RQ's queues and started registries are empty."""
        # One query for both: a job may be on its way from the one to the other.
        keys: list[Any] = list(self.redis.keys("rq:*:*"))
        return not any(key.startswith((b"rq:wip:", b"rq:queue:")) for key in keys)

    def wait_until_settled(self, within_s: float = DEADLINE_S) -> float:
        """Waits until every accepted job has ended and RQ's queues and registries are empty;
        returns the seconds it took."""
        began = time.monotonic()
        try:
            wait_for(lambda: self.all_ended() and self.is_quiet(), within_s)
        except AssertionError:
            raise AssertionError(f"unsettled: {self.ends()}\n{self.logs()}") from None
        return time.monotonic() - began

    def report(self, fault: str, seconds: float) -> Counter[str]:
        """Prints one line of counts and asserts that no job is lost and none has two ends."""
        ends = self.ends()
        kinds = Counter(types[0].value for types in ends.values() if types)
        lost = sum(not types for types in ends.values())
        doubled = sum(len(set(types)) > 1 for types in ends.values())
        told = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        print(
            f"{fault}: accepted {len(ends)}, {told}, lost {lost}, doubled {doubled},"
            f" recovery {seconds:.1f} s"
        )
        assert (lost, doubled) == (0, 0)
        return kinds

    # --- the processes ---------------------------------------------------------------------------

    def env(self, **changes: str) -> dict[str, str]:
        return {
            **os.environ,
            **self.s3.env(),
            "REDIS_URL": self.redis_url,
            "PROTEUS_LEASE_S": "20",
            "PROTEUS_MAINTENANCE_S": "1",
            "PROTEUS_MAX_WAIT_MS": "300",
            "PROTEUS_GRACE_S": "6",
            "PROTEUS_NULL_CURVE": "2,2,3",
            **changes,
        }

    def start(self, *module: str, **changes: str) -> Child:
        """A worker process; `module` replaces `-m gpu_worker work <engine>`."""
        marks.require("process")
        argv = [sys.executable, *(module or ("-m", "gpu_worker", "work", self.engine))]
        child = spawn(
            argv, log=self.folder / f"worker-{len(self.workers)}.log", env=self.env(**changes)
        )
        self.workers.append(child)
        return child

    def logs(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in self.folder.glob("worker-*.log"))

    def kill(self, child: Child) -> None:
        child.send_signal(signal.SIGKILL)
        child.wait()

    def end(self) -> None:
        for child in self.workers:
            stop(child, grace_s=0.1)
        self.redis.close()


@contextmanager
def working(
    shop: Workshop, engine: AnySteps, courier: AnyCourier, **changes: Any
) -> Iterator[BatchWorker]:
    """Runs a worker in a thread of this process, until the block ends."""
    settings = shop.settings.model_copy(update=changes)
    worker = build_worker(redis_client(shop.redis_url), engine, courier, settings)
    thread = threading.Thread(target=worker.serve)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(20)
        assert not thread.is_alive()


@cache
def _client(settings: Settings) -> S3Client:
    """One client for all tests of a process: making one takes longer than most tests."""
    return connect(settings)


@contextmanager
def workshop(
    redis_url: str, s3: S3Settings, folder: Path, engine: str = "null"
) -> Iterator[Workshop]:
    shop = Workshop(redis_url, s3, folder, engine)
    try:
        yield shop
    finally:
        shop.end()


def pixels(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
