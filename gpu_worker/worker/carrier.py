"""Tasks of the carrier threads: fetch a request's inputs; store its result and report its end.

Always store, then event, then RQ: if the worker dies in between, the next one finds the result and
repeats the rest (idempotent). Knows courier, events and leases; no engine, no threads of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from redis.exceptions import RedisError

from gpu_worker.contract import EventData, EventType, Job, Reason, tried
from gpu_worker.engine import Pixels, Refusal
from gpu_worker.queue.events import Events
from gpu_worker.queue.leases import Leases
from gpu_worker.scheduling.loop import Finished, Progress
from gpu_worker.storage.courier import AnyCourier, Outcome
from gpu_worker.storage.store import StoreAwayError
from gpu_worker.worker.book import Book
from gpu_worker.worker.request import Request
from gpu_worker.worker.rq_side import RqSide
from gpu_worker.worker.signals import Signals

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a request ended. `outcome`: for its event; `failed`: the error that RQ shows for the job,
    None if it was done, or if a refusal is its proper answer."""

    outcome: Outcome
    failed: str | None = None


class Carrier:
    """Every public method is one task for one request. Thread-safe: up to 16 run at once.

    `patience_s`: how long a Redis call is retried; a lease's time, as after it the job may be
    another worker's.
    """

    def __init__(
        self,
        courier: AnyCourier,
        book: Book,
        leases: Leases,
        events: Events,
        rq_side: RqSide,
        signals: Signals,
        patience_s: float,
    ):
        self._courier = courier
        self._book = book
        self._leases = leases
        self._events = events
        self._rq = rq_side
        self._signals = signals
        self._patience_s = patience_s
        self._sure_s = patience_s / 10  # a lease renewed within this cannot have run out

    # --- tasks: each is given to `Tasks.submit` --------------------------------------------------

    def fetch(self, request: Request) -> None:
        """Fetches the inputs; if there is nothing to run (refused, or already stored by an earlier
        worker) it reports the end instead."""
        try:
            ending = self._attempt(request, "fetching", partial(self._bring, request))
        except StoreAwayError as error:
            if self._book.start_leaving(request):
                self._put_back(request, error)
        else:
            if ending is not None and self._book.start_leaving(request):
                self._tell(request, lambda: ending)

    def conclude(self, request: Request, finished: Finished) -> None:
        """Stores what the engine made and reports the end, or reports why it made nothing."""
        self._tell(request, partial(self._concluded, request, finished))

    def fail(self, request: Request, doing: str, error: Exception) -> None:
        """Reports a fault of ours before the fetch. `doing`: what failed, for the log."""
        self._tell(request, lambda: self._refused(request, doing, error))

    def cancel(self, request: Request) -> None:
        self._tell(request, lambda: Ending(Outcome(EventType.CANCELLED, {})))

    def give_up(self, request: Request) -> None:
        """A poison message: it was lost with too many workers to be tried again."""
        outcome = self._courier.refused(request.job, Reason.WORKER_LOST, {}, True)
        ending = Ending(outcome, f"lost with {request.claim.losses} workers")
        self._tell(request, lambda: ending)

    def say_running(self, request: Request, progress: Progress) -> None:
        said: EventData = {"step": progress.step, "steps": progress.steps}
        if request.tier is not None and progress.steps > 1:  # an engine of one step has no tiers
            said["tier"] = request.tier.name
        with suppress(RedisError), request.telling:  # if lost: the next says as much
            if request.is_ours:  # another thread may have reported its end meanwhile
                self._send(request.job, EventType.RUNNING, said)

    def store_partial(self, request: Request, pixels: Pixels) -> None:
        """Stores a partial picture and announces it; if the request ended meanwhile, deletes it."""
        try:
            key = self._courier.store_partial(request.job, pixels) if request.is_ours else None
            if key is not None and not self._tell_of_partial(request, key):
                self._courier.withdraw(request.job)
        except (RedisError, StoreAwayError) as error:
            log.warning("job %s: no partial picture: %s", request.id, error)

    def _tell_of_partial(self, request: Request, key: str) -> bool:
        with request.telling:
            if request.is_ours:
                self._send(request.job, EventType.PARTIAL, {"key": key})
            return request.is_ours

    # --- finding the ending ----------------------------------------------------------------------

    def _bring(self, request: Request) -> Ending | None:
        """Returns None once it is ready for its first step; an ending if an earlier worker died
        after it had stored the result."""
        began = time.monotonic()
        known = self._courier.outcome(request.job)
        if known is not None:
            return Ending(known)
        order = self._courier.fetch(request.job, partial(self._book.charge, request))
        request.carry_s = time.monotonic() - began
        self._book.arrive(request, order)
        return None

    def _concluded(self, request: Request, finished: Finished) -> Ending:
        if isinstance(finished.result, Exception):
            return self._refused(request, "drawing", finished.result)
        return self._attempt(request, "storing", partial(self._deliver, request, finished))

    def _deliver(self, request: Request, finished: Finished) -> Ending:
        return Ending(self._courier.deliver(request.job, finished.result, finished.model_ms))

    def _attempt(self, request: Request, doing: str, work: Callable[[], T]) -> T | Ending:
        """Runs one part of a request's work; what it raises ends this request alone.

        Raises:
            StoreAwayError: no fault of the request's, which goes back to its queue.
        """
        found = tried(work, ends=(StoreAwayError,))
        return self._refused(request, doing, found) if isinstance(found, Exception) else found

    def _refused(self, request: Request, doing: str, error: Exception) -> Ending:
        if isinstance(error, Refusal):
            reason, data, retryable = error.reason, error.data, False
        else:
            log.error(
                "job %s: %s failed, in stage %s", request.id, doing, request.stage, exc_info=error
            )
            reason, data, retryable = Reason.ENGINE_FAILED, {}, True
        outcome = self._courier.refused(request.job, reason, data, retryable)
        # The tailor's "this photo cannot be used" is a proper answer, not a failed job.
        is_answer = isinstance(error, Refusal) and outcome.type is EventType.REJECTED
        return Ending(outcome, None if is_answer else str(error) or repr(error))

    # --- reporting it ----------------------------------------------------------------------------

    def _tell(self, request: Request, find: Callable[[], Ending]) -> None:
        """Settles a leaving request, then forgets it. `find` does what is left of its work and says
        how it ended. If Redis is away the lease runs out, and the job is claimed again."""
        try:
            self._end(request, find)
        except RedisError as error:
            log.warning("job %s: Redis is away, it will come back: %s", request.id, error)
        except StoreAwayError as error:
            self._put_back(request, error)
        finally:
            self._book.forget(request)

    def _end(self, request: Request, find: Callable[[], Ending]) -> None:
        if not self._is_ours(request):  # the lease ran out while it was drawn
            return
        began = time.monotonic()
        ending = find()
        request.carry_s += time.monotonic() - began
        if not self._is_ours(request):  # storing took longer than the lease: another may hold it
            return
        self._announce(request, ending.outcome)
        self._courier.tidy(request.job)
        if self._is_ours(request):  # else RQ's entry is the next holder's to settle
            self._rq.settle(request.claim, request.rq_job, ending.failed)
        log.info("job %s: %s", request.id, ending.failed or ending.outcome.type.value)

    def _announce(self, request: Request, outcome: Outcome) -> None:
        data: EventData = {**outcome.data, "carry_ms": round(request.carry_s * 1000)}
        with request.telling:
            self._insist(lambda: self._send(request.job, outcome.type, data))

    def _put_back(self, request: Request, error: StoreAwayError) -> None:
        """The store is away: the job goes back to its queue without a loss, and claims pause."""
        log.error("job %s: the store is away, it goes back: %s", request.id, error)
        self._signals.pause_claims()
        with suppress(RedisError):
            self._leases.hand_back([request.claim])
        self._book.forget(request)

    def _is_ours(self, request: Request) -> bool:
        """Whether the lease is still held. Renews it in Redis, unless that was done so recently
        that it cannot have run out.

        Raises:
            RedisError: Redis stayed away for `patience_s`.
        """
        if time.monotonic() - request.kept_at < self._sure_s:
            return True
        lost: set[str] = set()
        asked = time.monotonic()
        self._insist(lambda: lost.update(self._leases.keep([request.claim])))
        if not lost:
            request.kept_at = asked
        return not lost

    def _insist(self, ask: Callable[[], None]) -> None:
        """Retries while Redis is away, up to `patience_s`; then raises RedisError."""
        until = time.monotonic() + self._patience_s
        while True:
            try:
                return ask()
            except RedisError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _send(self, job: Job, kind: EventType, data: EventData) -> None:
        self._events.send(job.SUBJECT, job.row_id, kind, data)
