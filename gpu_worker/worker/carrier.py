"""What the carrying threads do: fetch a job's inputs, and tell its end; each job alone.

Store, then event, then RQ: whoever dies in between is followed by one who repeats the rest.
Knows courier, events and leases; no engine, no threads of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from redis.exceptions import RedisError
from rq.job import Job as RqJob

from gpu_worker.contract import EventType, Job, Reason
from gpu_worker.engine import Pixels, Refusal
from gpu_worker.queue.events import Events
from gpu_worker.queue.leases import Claim, Leases
from gpu_worker.scheduling.loop import Finished, Progress
from gpu_worker.storage.courier import Courier, Outcome
from gpu_worker.storage.store import StoreAwayError
from gpu_worker.worker.book import Book
from gpu_worker.worker.request import Request

log = logging.getLogger("proteus.worker")

Settle = Callable[[Claim, RqJob, str | None], None]


class Carrier:
    """Thread-safe. `settle` is RQ's end of a job; `on_store_away` hears that the store is gone;
    `patience_s`: how long Redis is asked again, as long as a lease can have lived."""

    def __init__(
        self,
        courier: Courier,
        book: Book,
        leases: Leases,
        events: Events,
        settle: Settle,
        on_store_away: Callable[[], None],
        patience_s: float,
    ):
        self._courier = courier
        self._book = book
        self._leases = leases
        self._events = events
        self._settle = settle
        self._on_store_away = on_store_away
        self._patience_s = patience_s
        self._sure_s = patience_s / 10

    def fetch(self, held: Request) -> None:
        """Brings the inputs, or tells the end when there is nothing left to run."""
        try:
            began = time.monotonic()
            outcome = self._courier.outcome(held.job)
            if outcome is None:
                order = self._courier.fetch(held.job, partial(self._book.charge, held))
                held.carry_s = time.monotonic() - began
                self._book.arrive(held, order)
            elif self._book.start_leaving(held):  # an earlier worker died after it had stored it
                self._tell(held, lambda: outcome)
        except StoreAwayError as error:
            if self._book.start_leaving(held):
                self._put_back(held, error)
        except Exception as error:  # noqa: BLE001 what cannot be fetched ends that job, and no other
            if self._book.start_leaving(held):
                self._refuse(held, error)

    def conclude(self, held: Request, finished: Finished) -> None:
        """The engine is through with it: a picture, or the reason why there is none."""
        result = finished.result
        if isinstance(result, Exception):
            self._refuse(held, result)
        else:
            self._tell(held, lambda: self._courier.deliver(held.job, result, finished.model_ms))

    def cancel(self, held: Request) -> None:
        self._tell(held, lambda: Outcome(EventType.CANCELLED, {}))

    def give_up(self, held: Request) -> None:
        """It was lost with too many workers to be tried again."""
        outcome = self._courier.refused(held.job, Reason.WORKER_LOST, {}, True)
        self._tell(held, lambda: outcome, failed=f"lost with {held.claim.losses} workers")

    def say_running(self, held: Request, progress: Progress) -> None:
        said: dict[str, Any] = {"step": progress.step, "steps": progress.steps}
        if held.tier is not None and progress.steps > 1:  # an engine of one step knows no rungs
            said["tier"] = held.tier.name
        with suppress(RedisError), held.telling:  # the next one says it too
            if held.is_ours:  # its end may have been told by a quicker thread
                self._send(held.job, EventType.RUNNING, said)

    def sketch(self, held: Request, pixels: Pixels) -> None:
        """Stores a rough picture and tells of it, unless its end was told meanwhile."""
        try:
            key = None if not held.is_ours else self._courier.sketch(held.job, pixels)
            if key is not None and not self._tell_of_sketch(held, key):
                self._courier.withdraw(held.job)
        except (RedisError, StoreAwayError) as error:
            log.warning("job %s: no rough picture: %s", held.id, error)
        except Exception:
            log.exception("job %s: no rough picture", held.id)

    def _tell_of_sketch(self, held: Request, key: str) -> bool:
        with held.telling:
            if held.is_ours:
                self._send(held.job, EventType.PREVIEW, {"key": key})
            return held.is_ours

    def _refuse(self, held: Request, error: Exception) -> None:
        if isinstance(error, Refusal):
            reason, data, retryable = error.reason, error.data, False
        else:
            log.error("job %s: the engine failed", held.id, exc_info=error)
            reason, data, retryable = Reason.ENGINE_FAILED, {}, True
        outcome = self._courier.refused(held.job, reason, data, retryable)
        # A photo that cannot be used is a good answer of the tailor, no failed job.
        is_answer = isinstance(error, Refusal) and outcome.type is EventType.REJECTED
        self._tell(held, lambda: outcome, None if is_answer else str(error) or repr(error))

    def _tell(self, held: Request, end: Callable[[], Outcome], failed: str | None = None) -> None:
        """The end of one job. Whatever goes wrong here is mended by the lease running out."""
        try:
            self._end(held, end, failed)
        except RedisError as error:
            log.warning("job %s: Redis is away, it will come back: %s", held.id, error)
        except StoreAwayError as error:
            self._put_back(held, error)
        except Exception as error:  # the encoder, an odd answer: this job's end, not the worker's
            if failed is None:
                self._refuse(held, error)
            else:
                log.exception("job %s could not be settled", held.id)
        finally:
            self._book.forget(held)

    def _end(self, held: Request, end: Callable[[], Outcome], failed: str | None) -> None:
        if not self._is_ours(held):
            return
        began = time.monotonic()
        outcome = end()
        held.carry_s += time.monotonic() - began
        if not self._is_ours(held):  # storing took longer than the lease: somebody else has it
            return
        data = {**outcome.data, "carry_ms": round(held.carry_s * 1000)}
        with held.telling:
            self._insist(lambda: self._send(held.job, outcome.type, data))
        self._courier.tidy(held.job)
        if self._is_ours(held):
            self._settle(held.claim, held.rq_job, failed)
        log.info("job %s: %s", held.id, failed or outcome.type.value)

    def _put_back(self, held: Request, error: StoreAwayError) -> None:
        """No fault of the job's: it waits in its queue."""
        log.error("job %s: the store is away, it goes back: %s", held.id, error)
        self._on_store_away()
        with suppress(RedisError):
            self._leases.hand_back([held.claim])
        self._book.forget(held)

    def _is_ours(self, held: Request) -> bool:
        """False after a pause longer than the lease. Renews it when True, unless that was done so
        lately that it cannot have run out."""
        if time.monotonic() - held.kept_at < self._sure_s:
            return True
        lost: set[str] = set()
        asked = time.monotonic()
        self._insist(lambda: lost.update(self._leases.keep([held.claim])))
        if not lost:
            held.kept_at = asked
        return not lost

    def _insist(self, ask: Callable[[], None]) -> None:
        until = time.monotonic() + self._patience_s
        while True:
            try:
                return ask()
            except RedisError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _send(self, job: Job, kind: EventType, data: dict[str, Any]) -> None:
        self._events.send(job.SUBJECT, job.row_id, kind, data)
