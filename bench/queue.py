"""Overhead of the queue: `python -m bench.queue` (`make bench-queue`).

No-op jobs on a fresh Redis through real worker processes: our batch worker at several batch sizes,
RQ's forking `Worker` and its `SimpleWorker`, alternately, so that noise of the machine affects all
of them. The workers are in `bench.queue_workers`.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis
from rq import Queue
from rq.serializers import JSONSerializer

from bench.queue_workers import ENGINE, FORKING, NOTED, OURS, QUEUE, SIMPLE, STARTS
from gpu_worker.contract import Category, TryOnJob
from local.children import Child, free_port, spawn, stop
from local.parts import redis_program
from server.infra.jobs import Jobs

PATIENCE_S = 120
BATCHES = (1, 8, 32)
AIM_RATE, AIM_START = 10.0, 1 / 3  # of the forking worker, at batch 8


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of worker to measure. `word`: its argument; `batch`: 0 for RQ's own."""

    name: str
    word: str
    batch: int = 0


KINDS = [
    Kind("RQ Worker (forks)", FORKING),
    Kind("RQ SimpleWorker", SIMPLE),
    *(Kind(f"ours, batch {batch}", OURS, batch) for batch in BATCHES),
]


@dataclass(slots=True)
class Marks:
    """Results of one kind: jobs a second by round, and milliseconds from enqueue to start."""

    rates: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)


@dataclass
class Bench:
    """A Redis, and one worker process at a time."""

    url: str
    folder: Path
    count: int = 0

    def __post_init__(self) -> None:
        self.redis: Any = redis.Redis.from_url(self.url)

    @contextmanager
    def working(self, kind: Kind) -> Iterator[Child]:
        """A worker process that has already done its first job."""
        self.redis.flushall()
        argv = [sys.executable, "-m", "bench.queue_workers", kind.word, self.url, str(kind.batch)]
        child = spawn(argv, log=self.folder / "worker.log")
        try:
            self.enqueue(kind, 1)
            self._wait_for(1, child)
            yield child
        finally:
            stop(child)

    def enqueue(self, kind: Kind, count: int, prefix: str = "try") -> None:
        for _ in range(count):
            self.count += 1
            job_id = f"{prefix}_{self.count}"
            if kind.word == OURS:
                Jobs(self.redis).enqueue(_job(job_id), ENGINE)
            else:
                queue = Queue(QUEUE, connection=self.redis, serializer=JSONSerializer)
                queue.enqueue("bench.queue_workers.nothing", job_id, job_id=job_id, result_ttl=0)

    def done(self) -> int:
        """How many jobs RQ counts as done, by any worker."""
        keys = self.redis.smembers("rq:workers")
        return sum(int(self.redis.hget(key, "successful_job_count") or 0) for key in keys)

    def _wait_for(self, count: int, child: Child) -> None:
        until = time.monotonic() + PATIENCE_S
        while self.done() < count:
            if time.monotonic() > until or child.poll() is not None:
                raise SystemExit((self.folder / "worker.log").read_text()[-2000:])
            time.sleep(0.002)

    def measure(self, kind: Kind, jobs: int, lone: int) -> tuple[float, list[float]]:
        """Jobs a second of one worker, and its milliseconds from enqueue to start."""
        with self.working(kind) as child:
            return self._rate(kind, child, jobs), self._starts(kind, child, lone)

    def _rate(self, kind: Kind, child: Child, jobs: int) -> float:
        """Throughput in jobs a second. The worker is stopped (SIGSTOP) while the jobs are enqueued,
        so that enqueueing takes no processor time from it."""
        already = self.done()
        child.send_signal(signal.SIGSTOP)
        self.enqueue(kind, jobs)
        began = time.monotonic()
        child.send_signal(signal.SIGCONT)
        self._wait_for(already + jobs, child)
        return jobs / (time.monotonic() - began)

    def _starts(self, kind: Kind, child: Child, jobs: int) -> list[float]:
        """Milliseconds from enqueue to start, of jobs that come one after another."""
        found = []
        already = self.done()
        for done in range(already + 1, already + jobs + 1):
            self.redis.delete(STARTS)
            asked = time.time()
            self.enqueue(kind, 1, NOTED)
            answer = self.redis.blpop([STARTS], PATIENCE_S)
            if answer is None:
                raise SystemExit("a job did not start")
            found.append((float(answer[1]) - asked) * 1000)
            self._wait_for(done, child)
        return found


def _job(job_id: str) -> TryOnJob:
    return TryOnJob(
        merchant_id="mer_1",
        site_id="sit_1",
        accepted_at_ms=0,
        try_on_id=job_id,
        engine=ENGINE,
        category=Category.UPPER,
        photo_key="none",
        garment_key="none",
        result_key="none",
    )


@contextmanager
def fresh_redis(folder: Path) -> Iterator[str]:
    """A Redis of our own without persistence: the benchmark compares workers, not disks."""
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    argv = [redis_program(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    child = spawn([*argv, "--dir", str(folder)], log=folder / "redis.log")
    try:
        _wait_until_up(url)
        yield url
    finally:
        stop(child)


def _wait_until_up(url: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            with redis.Redis.from_url(url) as client:
                client.ping()
                return
        except redis.RedisError:
            time.sleep(0.02)
    raise SystemExit("Redis did not come up")


def run(rounds: int, jobs: int, forked: int, lone: int) -> dict[Kind, Marks]:
    """`forked`: jobs a round for the forking worker, which is slow; `jobs` for the others."""
    marks = {kind: Marks() for kind in KINDS}
    with tempfile.TemporaryDirectory(prefix="proteus-bench-") as name:
        folder = Path(name)
        with fresh_redis(folder) as url:
            bench = Bench(url, folder)
            for _ in range(rounds):
                for kind in KINDS:
                    mine = forked if kind.word == FORKING else jobs
                    rate, starts = bench.measure(kind, mine, lone)
                    marks[kind].rates.append(rate)
                    marks[kind].starts += starts
    return marks


def report(marks: dict[Kind, Marks]) -> None:
    base = marks[KINDS[0]]
    rate, start = statistics.median(base.rates), percentile(base.starts, 0.5)
    print(f"{datetime.now(UTC):%Y-%m-%d} · {platform.machine()}, {os.cpu_count()} cores")
    print(f"no-op jobs · {len(base.rates)} rounds · {len(base.starts)} lone jobs each")
    print(f"{'':20} {'jobs/s':>8} {'x forks':>8}   start p50/p95 ms  of forks' p50")
    for kind, mark in marks.items():
        own, half = statistics.median(mark.rates), percentile(mark.starts, 0.5)
        print(
            f"{kind.name:20} {own:8.0f} {own / rate:7.1f}x"
            f"   {half:6.1f}/{percentile(mark.starts, 0.95):<8.1f} {half / start:10.2f}"
        )
    print(verdict(marks))


def verdict(marks: dict[Kind, Marks]) -> str:
    base, ours = marks[KINDS[0]], marks[next(kind for kind in KINDS if kind.batch == 8)]
    more = statistics.median(ours.rates) / statistics.median(base.rates)
    share = percentile(ours.starts, 0.5) / percentile(base.starts, 0.5)
    words = {True: "met", False: "missed"}
    return (
        f"aims at batch 8: jobs/s {more:.1f}x of {AIM_RATE:g}x: {words[more >= AIM_RATE]}; "
        f"enqueue to start {share:.2f} of {AIM_START:.2f}: {words[share <= AIM_START]}"
    )


def percentile(values: Sequence[float], share: float) -> float:
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--forked", type=int, default=200)
    parser.add_argument("--lone", type=int, default=60)
    asked = parser.parse_args(argv)
    report(run(asked.rounds, asked.jobs, asked.forked, asked.lone))


if __name__ == "__main__":
    main()
