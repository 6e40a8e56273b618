"""The claiming thread: takes jobs from Redis into the book; a second thread waits for wake-ups.

Knows leases, book and RQ's side. What happens to a job then is the carriers' and the step loop's.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from redis.exceptions import RedisError
from rq.job import Job as RqJob

from gpu_worker import contract
from gpu_worker.contract import Backoff, ContractError, each_alone, forever, tried
from gpu_worker.queue.leases import Claim, Leases
from gpu_worker.worker.bill import Bill
from gpu_worker.worker.book import Book
from gpu_worker.worker.carrier import Carrier
from gpu_worker.worker.interval import Intervals
from gpu_worker.worker.policy import PolicyReader
from gpu_worker.worker.request import Request, Stage
from gpu_worker.worker.rq_side import RqSide
from gpu_worker.worker.signals import Signals
from gpu_worker.worker.tasks import Tasks

log = logging.getLogger(__name__)

BELL_S = 0.25
REST_S = 0.5


@dataclass(eq=False, slots=True)
class Claimer:
    """Takes jobs while there is room. `claim_loop` and `bell_loop` run in a thread each.

    `maintenance_s`: how often dead workers' jobs are looked for; `listens`: set while this worker
    has room and found no job, so that `bell_loop` shall wait for one.
    """

    rq: RqSide
    leases: Leases
    bill: Bill
    book: Book
    carrier: Carrier
    tasks: Tasks
    reader: PolicyReader
    signals: Signals
    maintenance_s: float
    intervals: Intervals = field(default_factory=Intervals)
    listens: threading.Event = field(default_factory=threading.Event)

    def claim_loop(self) -> None:
        backoff = _backoff("claiming: %(error)s", "claiming")
        forever(lambda: self.claim_turn(time.monotonic()), backoff, self.signals.stopping)
        log.info("told to stop: claims no more, %d jobs in hand", len(self.book))

    def bell_loop(self) -> None:
        """Waits on the wake-up list for the claiming thread, which waits for room meanwhile."""
        silent = _backoff(None, "hearing the bell")  # the claiming thread logs that Redis is away
        forever(self.bell_turn, silent, self.signals.stopping)

    def claim_turn(self, now: float) -> None:
        """One turn of the claiming thread. `now`: by the monotonic clock.

        Raises:
            RedisError: Redis is away.
        """
        if self.intervals.is_due("recover", self.maintenance_s, now):
            self._recover()
        if self.signals.may_claim:
            self._claim()
        else:
            self.signals.stopping.wait(BELL_S)

    def bell_turn(self) -> None:
        """One turn of the other thread. A full worker does not listen: each entry of the wake-up
        list wakes one worker, which should be one with room.

        Raises:
            RedisError: Redis is away.
        """
        if self.listens.wait(BELL_S) and self.leases.wait_for_bell(BELL_S):
            self.listens.clear()
            self.book.ring()

    def _claim(self) -> None:
        suspect = self.book.take_suspect()
        if suspect is not None:
            self._begin([suspect])
            return
        room, asked = self.book.room(self._slots), time.monotonic()
        claims = self.leases.claim(room, self.bill.usual_ms) if room else []
        if claims:
            self.listens.clear()  # busy now: wake-ups are for others
            self._take(claims, asked)
            return
        if room.is_free:
            self.listens.set()
        self.book.wait_for_room(self._slots, room, BELL_S)

    @property
    def _slots(self) -> int:
        return self.reader.current.slots

    def _take(self, claims: Sequence[Claim], asked: float) -> None:
        found = list(zip(claims, self.rq.fetch(claims), strict=True))
        # RQ's job is gone: `hand_back` drops the lease and queues nothing
        self.leases.hand_back([claim for claim, rq_job in found if rq_job is None])
        read = [self._read(claim, rq_job) for claim, rq_job in found if rq_job is not None]
        readable = [request for request in read if request is not None]
        for request in readable:
            request.kept_at = asked
            self.book.add(request)
        self._begin([one for one in readable if one.stage is Stage.FETCHING])

    def _begin(self, those: Sequence[Request]) -> None:
        """Marks them `started` in RQ, so that a worker's death counts as a loss from now on, and
        gives them to the carriers."""
        waiting = list(those)
        try:
            for request, error in self._start(those):
                self._go_on(request, error)
                waiting.remove(request)
        finally:
            for request in waiting:  # Redis failed: their leases run out, they are claimed again
                if self.book.start_leaving(request):
                    self.book.forget(request)

    def _start(self, those: Sequence[Request]) -> Iterable[tuple[Request, Exception | None]]:
        """Starts all in one transaction; each by itself if RQ raises for one of them.

        Raises:
            RedisError: Redis is away.
        """
        if not those:
            return []
        rq_jobs = [request.rq_job for request in those]
        error = tried(partial(self.rq.start, rq_jobs), ends=(RedisError,))
        if error is None:
            return [(request, None) for request in those]
        log.warning("%d jobs do not start together", len(those), exc_info=error)
        return each_alone(those, lambda one: self.rq.start([one.rq_job]), ends=(RedisError,))

    def _go_on(self, request: Request, error: Exception | None) -> None:
        if error is None:
            self.tasks.submit(self.carrier.fetch, request)
        elif self.book.start_leaving(request):
            self.tasks.submit(self.carrier.fail, request, "starting", error)

    def _read(self, claim: Claim, rq_job: RqJob) -> Request | None:
        stage = Stage.SUSPECT if claim.runs_alone else Stage.FETCHING
        try:
            return Request(claim, rq_job, contract.job_from_json(rq_job.args[0]), stage)
        except (ContractError, LookupError, TypeError) as error:
            log.error("job %s is none that this worker can read: %s", claim.job_id, error)
            self.rq.settle(claim, rq_job, failed=f"unreadable: {error}")
            return None

    def _recover(self) -> None:
        """Queues dead workers' jobs again; fails those lost too often (poison messages)."""
        back, hopeless = self.leases.recover()
        if back:
            log.warning("%d jobs of lost workers are back in their queues", back)
        for claim, rq_job in zip(hopeless, self.rq.fetch(hopeless), strict=True):
            request = self._read(claim, rq_job) if rq_job is not None else None
            if request is not None:
                self.book.add(request)  # so that its lease is renewed until its end is reported
                self.book.start_leaving(request)
                self.tasks.submit(self.carrier.give_up, request)


def _backoff(away_says: str | None, fault_says: str) -> Backoff:
    return Backoff(log, (RedisError,), away_says, REST_S, REST_S, fault_says, REST_S)
