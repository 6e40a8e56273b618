"""The keeping thread: renews leases, takes out cancelled jobs, reads the policy, sends heartbeats.

Knows leases, book and RQ's side. Steps nothing; ends the process when a step hangs (watchdog).
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from gpu_worker import contract
from gpu_worker.config import Settings
from gpu_worker.contract import Backoff, Lane, forever
from gpu_worker.queue.leases import Leases
from gpu_worker.queue.redis import fields_of
from gpu_worker.scheduling.loop import AnySteps, Runner
from gpu_worker.worker.bill import Bill
from gpu_worker.worker.book import Book
from gpu_worker.worker.carrier import Carrier
from gpu_worker.worker.interval import Intervals
from gpu_worker.worker.policy import PolicyReader
from gpu_worker.worker.request import Request
from gpu_worker.worker.rq_side import RqSide
from gpu_worker.worker.signals import Signals
from gpu_worker.worker.tasks import Tasks

log = logging.getLogger(__name__)

WATCH_S = 0.1  # a turn: cancellations, hung steps
POLICY_S = 0.5
BEAT_S = 3.0  # RQ's heartbeat
ABOUT_S = 0.5  # our own, with metrics and the bill
EXIT_HUNG = 70


@dataclass(eq=False, slots=True)
class Keeper:
    """`keep_loop` is its thread. RQ's command thread calls `stop_job`, the main thread
    `say_hello` before and `say_goodbye` after the loop."""

    rq: RqSide
    engine: AnySteps
    settings: Settings
    signals: Signals
    leases: Leases
    bill: Bill
    book: Book
    carrier: Carrier
    tasks: Tasks
    runner: Runner
    reader: PolicyReader
    intervals: Intervals = field(default_factory=Intervals)
    counted: dict[str, int] = field(default_factory=dict)  # counts already added in Redis

    def keep_loop(self) -> None:
        backoff = Backoff(log, (RedisError,), "keeping: %(error)s", WATCH_S, WATCH_S, "keeping")
        forever(
            lambda: self.keep_turn(time.monotonic()), backoff, self.signals.ended, every_s=WATCH_S
        )

    def keep_turn(self, now: float) -> None:
        """`now`: by the monotonic clock.

        Raises:
            RedisError: Redis is away.
        """
        self._end_if_hung(now)
        self._watch(now)

    def say_hello(self) -> None:
        """Registers this worker and reads the policy, before the first job.

        Raises:
            RedisError: Redis is not there.
        """
        self.rq.say_hello(self.stop_job)
        self.rq.say_alive(self.engine.name)
        self.reader.read(time.time())
        self._say_about()

    def say_goodbye(self) -> None:
        """Takes back what is registered, after the last job and the end of `keep_loop`."""
        with suppress(RedisError):
            self.leases.hand_back([request.claim for request in self.book.all()])
            self._settle_the_bill()
            self._say_about()  # or the counts since the last heartbeat are lost
            self.rq.connection.delete(contract.worker_key(self.rq.name))
            self.rq.say_goodbye()

    def stop_job(self, job_id: str) -> bool:
        """RQ's `stop-job` command. Returns whether this call cancelled the job."""
        request = self.book.get(job_id)
        return request is not None and self._cancel(request)

    def _watch(self, now: float) -> None:
        self._take_out_cancelled()
        if self.intervals.is_due("policy", POLICY_S, now):
            self.reader.read(time.time())
        if self.intervals.is_due("lease", self.settings.lease_s / 3, now):
            self._keep_leases()
        if self.intervals.is_due("beat", BEAT_S, now):
            self.rq.say_alive(self.engine.name)
        if self.intervals.is_due("about", ABOUT_S, now):
            self._say_about()
            self.rq.say_how(bool(len(self.book)))
            self._settle_the_bill()

    def _end_if_hung(self, now: float) -> None:
        """Exits at the hard deadline: nothing else can interrupt a hung device call. The leases run
        out, and other workers claim the jobs."""
        since = min(self.signals.stepping_since, self.runner.side_busy_since)
        if now - since > self.settings.hard_deadline_s:
            log.critical("a step hangs for %s s: ending", self.settings.hard_deadline_s)
            os._exit(EXIT_HUNG)

    def _take_out_cancelled(self) -> None:
        held = self.book.all()
        if not held:
            return
        flags = self.rq.connection.mget([contract.cancel_key(request.id) for request in held])
        for request, flag in zip(held, flags, strict=True):
            if flag is not None:
                self._cancel(request)

    def _cancel(self, request: Request) -> bool:
        if not self.book.start_leaving(request):
            return False
        self.tasks.submit(self.carrier.cancel, request)
        return True

    def _keep_leases(self) -> None:
        held = {request.id: request for request in self.book.all()}
        for job_id in self.leases.keep([request.claim for request in held.values()]):
            if self.book.start_leaving(held[job_id]):  # else it was settled while we asked
                log.warning("job %s: its lease is lost", job_id)
                self.book.forget(held[job_id])

    def _say_about(self) -> None:
        """Our heartbeat: state, metrics, and what was counted since the last one. As often as the
        arbitrator takes a turn."""
        key, about = contract.worker_key(self.rq.name), fields_of(self._about())
        counts = self.runner.metrics.counts()
        with self.rq.connection.pipeline() as pipeline:
            pipeline.hset(key, mapping=about)
            pipeline.expire(key, contract.WORKER_TTL_S)
            # the difference: all workers of the engine add up their counts in one hash
            for event, number in counts.items():
                if by := number - self.counted.get(event, 0):
                    pipeline.hincrby(contract.counts_key(self.engine.name), event, by)
            pipeline.execute()
        self.counted = counts

    def _about(self) -> dict[str, str | float]:
        policy = self.reader.current
        return {
            **self._expected_steps(),
            **self.runner.metrics.snapshot(),
            "engine": self.engine.name,
            "licence": self.engine.licence,
            "is_preview": int(self.engine.is_preview),
            "device": self.engine.device,
            "max_slots": self.engine.max_slots,
            "slots": policy.slots,
            "tier": policy.tier.name,
            "pid": os.getpid(),
            "held": len(self.book),
            "live": sum(request.claim.lane is Lane.LIVE for request in self.book.all()),
            "running": len(self.runner),
            "ts": round(time.time(), 3),
        }

    def _expected_steps(self) -> dict[str, int]:
        """Steps per picture by tier, as the engine declares them; measured ones replace them. After
        a restart the law still knows the time of a step, but not how many a picture takes."""
        return {f"steps:{tier.name}": self.engine.steps_of(tier) for tier in self.settings.tiers}

    def _settle_the_bill(self) -> None:
        self.leases.charge(self.bill.take())
