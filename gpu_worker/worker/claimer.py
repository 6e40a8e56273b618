"""The claiming thread and its ear at the bell: jobs come from Redis into the worker's book.

Knows leases, book and RQ's side. What becomes of a job then is the carriers' and the step loop's.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import RedisError
from rq.job import Job as RqJob

from gpu_worker import contract
from gpu_worker.contract import ContractError
from gpu_worker.queue.leases import Claim, Leases
from gpu_worker.worker.bill import Bill
from gpu_worker.worker.book import Book
from gpu_worker.worker.carrier import Carrier
from gpu_worker.worker.request import Request, Stage
from gpu_worker.worker.rhythm import Rhythm
from gpu_worker.worker.rq_side import RqSide

log = logging.getLogger("proteus.worker")

BELL_S = 0.25
STORE_PAUSE_S = 2.0

Submit = Callable[..., Any]


class Claimer:
    """`submit` has a carrier do something; `slots`: how many run together now."""

    def __init__(
        self,
        rq_side: RqSide,
        leases: Leases,
        book: Book,
        bill: Bill,
        carrier: Carrier,
        *,
        bell: str,
        submit: Submit,
        slots: Callable[[], int],
        maintenance_s: float,
        stopping: threading.Event,
    ):
        self._rq = rq_side
        self._bell = bell
        self._leases = leases
        self._book = book
        self._bill = bill
        self._carrier = carrier
        self._submit = submit
        self._slots = slots
        self._maintenance_s = maintenance_s
        self._stopping = stopping
        self._rhythm = Rhythm()
        self._listens = threading.Event()

    def pause(self) -> None:
        """The store is away: what we would claim now could not be fetched."""
        self._rhythm.not_before("claim", STORE_PAUSE_S)

    def claim_loop(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._rhythm.is_due("recover", self._maintenance_s):
                    self._recover()
                if self._rhythm.is_due("claim", 0):
                    self._claim()
                else:
                    self._stopping.wait(BELL_S)
            except RedisError as error:
                log.warning("claiming: %s", error)
                self._stopping.wait(0.5)
            except Exception:
                log.exception("claiming")
                self._stopping.wait(0.5)
        log.info("told to stop: claims no more, %d jobs in hand", len(self._book))

    def bell_loop(self) -> None:
        """Hears the bell for the claiming thread, which at the same time waits for room. A worker
        that could claim nothing leaves the bell to the others."""
        while not self._stopping.is_set():
            try:
                if self._listens.wait(BELL_S) and self._hears_the_bell():
                    self._listens.clear()
                    self._book.ring()
            except RedisError:
                self._stopping.wait(0.5)  # the claiming thread says so

    def _hears_the_bell(self) -> bool:
        return self._rq.connection.blpop([self._bell], BELL_S) is not None

    def _claim(self) -> None:
        suspect = self._book.take_suspect()
        if suspect is not None:
            self._begin([suspect])
            return
        room, asked = self._book.room(self._slots()), time.monotonic()
        claims = self._leases.claim(room, self._bill.usual_ms) if room else []
        if claims:
            self._listens.clear()
            self._take(claims, asked)
            return
        if room.is_free:
            self._listens.set()
        self._book.wait_for_room(self._slots(), room, BELL_S)

    def _take(self, claims: Sequence[Claim], asked: float) -> None:
        found = list(zip(claims, self._rq.fetch(claims), strict=True))
        self._leases.hand_back([claim for claim, rq_job in found if rq_job is None])
        held = [self._read(claim, rq_job) for claim, rq_job in found if rq_job is not None]
        readable = [one for one in held if one is not None]
        for one in readable:
            if one.claim.runs_alone:
                one.stage = Stage.SUSPECT
            one.kept_at = asked
            self._book.add(one)
        self._begin([one for one in readable if one.stage is Stage.FETCHING])

    def _begin(self, those: Sequence[Request]) -> None:
        """From here on they are `started`: whoever dies with them suspects them."""
        if not those:
            return
        try:
            self._rq.start([held.rq_job for held in those])
        except RedisError:
            for held in those:  # their leases run out and they come back
                if self._book.start_leaving(held):
                    self._book.forget(held)
            raise
        for held in those:
            self._submit(self._carrier.fetch, held)

    def _read(self, claim: Claim, rq_job: RqJob) -> Request | None:
        try:
            return Request(claim, rq_job, contract.job_from_json(rq_job.args[0]))
        except (ContractError, LookupError, TypeError) as error:
            log.error("job %s is none that this worker can read: %s", claim.job_id, error)
            self._rq.settle(claim, rq_job, failed=f"unreadable: {error}")
            return None

    def _recover(self) -> None:
        back, hopeless = self._leases.recover()
        if back:
            log.warning("%d jobs of lost workers are back in their queues", back)
        for claim, rq_job in zip(hopeless, self._rq.fetch(hopeless), strict=True):
            held = self._read(claim, rq_job) if rq_job is not None else None
            if held is not None:
                self._book.add(held)
                self._book.start_leaving(held)
                self._submit(self._carrier.give_up, held)
