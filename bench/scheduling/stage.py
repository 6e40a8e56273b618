"""Plays arrivals to one way of scheduling, on a Redis of its own, and notes when each was done.

All results are in the device's time: the real time multiplied by `hurry`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import redis

from bench.scheduling.processes import ENGINE, MERCHANT, Task
from gpu_worker import contract
from gpu_worker.contract import LADDER, Category, Event, EventType, Lane, Law, TryOnJob
from local.children import Child, free_port, spawn, stop
from local.parts import redis_program
from server.infra.jobs import Jobs

PATIENCE_S = 400.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A job that arrives `at` seconds after the start, in the device's time."""

    at: float
    lane: Lane = Lane.LIVE
    merchant: str = MERCHANT


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way of scheduling.

    law: of the arbitrator; None: there is no arbitrator. slots: a fixed number instead.
    priorities: the baseline with plain RQ order and whole batches.
    one_line: all merchants share one queue.
    killed_at: when the arbitrator is killed, in the device's time.
    """

    name: str
    law: Law | None = None
    slots: int | None = None
    priorities: bool = False
    one_line: bool = False
    killed_at: float | None = None


LEARNED = Way(name="learned", law=Law.LEARNED)
THRESHOLDS = Way(name="thresholds", law=Law.THRESHOLDS)
PRIORITIES = Way(name="thresholds + RQ priorities", priorities=True)


def fixed(slots: int) -> Way:
    return Way(name=f"always {slots}", slots=slots)


@dataclass(slots=True)
class Done:
    """The result of one arrival: seconds it took, and when it was done, in the device's time."""

    arrival: Arrival
    took_s: float
    ended_at: float
    tier: str


class Stage:
    """A Redis, the processes of one way, and the events of their jobs."""

    def __init__(self, way: Way, task: Task, folder: Path):
        self.way, self.task, self.folder = way, task, folder
        self.redis: Any = redis.Redis.from_url(task.url)
        self.jobs = Jobs(self.redis)
        self.hurry = task.hurry
        self._read_to = b"-"
        self.children: dict[str, Child] = {}
        self.came: dict[str, tuple[Arrival, float]] = {}
        self.ended: dict[str, tuple[float, str]] = {}

    def start(self, kind: str) -> None:
        argv = [sys.executable, "-m", "bench.scheduling.processes", kind, self.task.to_json()]
        self.children[kind] = spawn(argv, log=self.folder / f"{kind}.log", env=dict(os.environ))

    def open(self) -> None:
        """Starts the way's processes and lets them draw, so that their times are learned."""
        self.start("prioritise" if self.way.priorities else "work")
        if self.way.slots is not None:
            policy: Any = {"batch_size": self.way.slots, "max_wait_ms": 0}
            self.redis.hset(contract.policy_key(ENGINE), mapping=policy)
        if self.way.law is None:
            self._rehearse([1])
            return
        self.start("arbitrate")
        rungs = self.task.terms.tiers if self.way.law is Law.LEARNED else LADDER[:1]
        for tier in dict.fromkeys((rungs[0], rungs[-1])):
            self._hold(tier=tier.name)
            self._rehearse(self.task.rehearsed)
        self.redis.delete(contract.override_key(ENGINE), contract.arrivals_key(ENGINE))
        time.sleep(0.5)  # until the arbitrator has replaced the overridden policy

    def _hold(self, **fields: Any) -> None:
        self.redis.hset(contract.override_key(ENGINE), mapping=fields)

    def _rehearse(self, sizes: Sequence[int]) -> None:
        for size in sizes:
            if len(sizes) > 1:
                self._hold(batch_size=size)
                time.sleep(0.4)
            for _ in range(size):
                self.enqueue(Arrival(0.0))
            self.wait_for_all()
        self.came.clear()
        self.ended.clear()

    def enqueue(self, arrival: Arrival) -> None:
        merchant = MERCHANT if self.way.one_line or self.way.priorities else arrival.merchant
        job_id = f"try-{time.monotonic_ns()}"
        job = TryOnJob(
            merchant_id=merchant,
            site_id="sit_1",
            accepted_at_ms=0,
            try_on_id=job_id,
            engine=ENGINE,
            category=Category.UPPER,
            photo_key="p",
            garment_key="g",
            result_key=job_id,
        )
        self.came[job_id] = arrival, time.time()
        self.jobs.enqueue(job, ENGINE, arrival.lane)

    def read(self) -> None:
        """Notes the final events since the last call."""
        for entry, fields in self.redis.xrange(contract.EVENTS, min=self._read_to):
            self._read_to = b"(" + entry
            event = Event.from_json(fields[b"event"])
            if event.type in (EventType.SUCCEEDED, EventType.FAILED):
                self.ended.setdefault(event.id, (event.at_ms / 1000, event.data.get("tier", "?")))

    def wait_for_all(self, lane: Lane | None = None) -> None:
        until = time.monotonic() + PATIENCE_S
        while any(
            job_id not in self.ended
            for job_id, (arrival, _) in list(self.came.items())
            if lane in (None, arrival.lane)
        ):
            if time.monotonic() > until:
                raise SystemExit(f"{self.way.name}: pictures that must come did not come")
            time.sleep(0.02)
            self.read()

    def play(self, arrivals: Sequence[Arrival], stop_after_bulk: bool) -> list[Done]:
        """Plays the arrivals in real time and waits for all results."""
        began, over = time.time(), threading.Event()
        player = threading.Thread(target=self._play, args=(arrivals, began, over))
        player.start()
        try:
            if stop_after_bulk:
                self._wait_for_bulk(sum(one.lane is Lane.BULK for one in arrivals))
            else:
                player.join()
        finally:
            over.set()
        player.join()
        self.wait_for_all()
        return [self._done(job_id, began) for job_id in self.came]

    def _wait_for_bulk(self, count: int) -> None:
        while sum(one.lane is Lane.BULK for one, _ in list(self.came.values())) < count:
            time.sleep(0.01)
        self.wait_for_all(Lane.BULK)

    def _play(self, arrivals: Sequence[Arrival], began: float, over: threading.Event) -> None:
        killed_at = self.way.killed_at
        for arrival in sorted(arrivals, key=lambda one: one.at):
            if over.wait(max(0.0, began + arrival.at / self.hurry - time.time())):
                return
            if killed_at is not None and arrival.at >= killed_at:
                self.children["arbitrate"].kill()
                killed_at = None
            self.enqueue(arrival)

    def _done(self, job_id: str, began: float) -> Done:
        arrival, came = self.came[job_id]
        ended, tier = self.ended[job_id]
        return Done(arrival, (ended - came) * self.hurry, (ended - began) * self.hurry, tier)


@contextmanager
def _a_redis(folder: Path) -> Iterator[str]:
    port = free_port()
    argv = [redis_program(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    child = spawn([*argv, "--dir", str(folder)], log=folder / "redis.log")
    url = f"redis://127.0.0.1:{port}/0"
    try:
        with redis.Redis.from_url(url) as client:
            _wait_for(client)
        yield url
    finally:
        stop(child)


def _wait_for(client: redis.Redis) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def run(
    way: Way, task: Task, arrivals: Sequence[Arrival], stop_after_bulk: bool = False
) -> list[Done]:
    """Plays the arrivals to one way. `task.url` is ignored: each has a Redis of its own."""
    with tempfile.TemporaryDirectory(prefix="proteus-scheduling-") as home:
        folder = Path(home)
        with _a_redis(folder) as url:
            law = (way.law or Law.LEARNED).value
            stage = Stage(way, replace(task, url=url, law=law), folder)
            try:
                stage.open()
                return stage.play(arrivals, stop_after_bulk)
            except SystemExit:
                for log in folder.glob("*.log"):
                    sys.stderr.write(f"{log.name}:\n{log.read_text()[-2000:]}\n")
                raise
            finally:
                for child in stage.children.values():
                    stop(child, grace_s=0.5)
