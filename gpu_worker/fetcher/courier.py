"""The fetcher's courier: from a merchant's URL, through a confined child, into the store, as if the
picture had been uploaded.

Knows store and contract; decodes nothing. A fetch costs its merchant its wall time (fair share).
"""

from __future__ import annotations

import hashlib

from gpu_worker.confined import Limits, NoAnswerError, OverrunError, Pool
from gpu_worker.confined.wire import Head
from gpu_worker.contract import EventData, EventType, FetchJob, Job, Reason
from gpu_worker.engine import Pixels, Refusal
from gpu_worker.fetcher.download import Bounds
from gpu_worker.fetcher.fetcher import Fetched
from gpu_worker.storage.courier import Charge, Outcome
from gpu_worker.storage.store import Store

CHILD = "gpu_worker.fetcher.child"
HEAD_S = 3.0
TOTAL_S = 15.0
LATE_S = 2.0  # grace before a child is killed: it ends downloads itself, unless DNS blocks it
MEMORY_BYTES = 134_217_728  # and what the picture needs
# A process cannot interrupt its own DNS lookup; with these options the resolver gives up soon.
ENVIRONMENT = {"RES_OPTIONS": "timeout:1 attempts:2"}
QUESTION = "question"  # metadata of the fetched object: a hash of the URL it came from


def children(count: int, bounds: Bounds, module: str = CHILD) -> Pool:
    """The pool of downloading children. They need sockets, so they may open descriptors; but their
    environment holds no key and no address of ours."""
    limits = Limits(
        cpu_s=bounds.total_s,
        wall_s=bounds.total_s + LATE_S,
        memory_bytes=MEMORY_BYTES + 4 * bounds.max_bytes,
        answer_bytes=bounds.max_bytes,
    )
    return Pool(module, size=count, limits=limits, env=ENVIRONMENT)


class FetchCourier:
    """Input and output of fetch jobs. Used by the worker's carrier threads."""

    def __init__(self, store: Store, pool: Pool, bounds: Bounds):
        self._store = store
        self._pool = pool
        self._bounds = bounds

    def outcome(self, job: Job) -> Outcome | None:
        """The outcome, if an earlier run has already stored the picture of this very URL."""
        job = _fetch(job)
        metadata = self._store.metadata(job.fetched_key) or {}
        return _told(job) if metadata.get(QUESTION) == question(job) else None

    def fetch(self, job: Job, charge: Charge) -> Fetched:
        job = _fetch(job)
        try:
            answer = self._pool.run(self._asked(job))
        except NoAnswerError as error:
            charge(error.wall_ms)
            if isinstance(error, OverrunError):
                raise Refusal(Reason.IMAGE_URL_UNREACHABLE, error.kind) from error
            raise
        charge(answer.wall_ms)
        if "reason" in answer.head:
            raise Refusal(Reason(answer.head["reason"]), str(answer.head.get("detail")))
        return Fetched(job.id, bytes(answer.body))

    def renew(self, order: Fetched) -> Fetched:
        return order

    def store_partial(self, _job: Job, _pixels: Pixels) -> str | None:
        """None: the fetcher has no partial pictures."""
        return None

    def withdraw(self, _job: Job) -> None:
        """Nothing to do: there are no partial pictures."""

    def deliver(self, job: Job, product: Fetched, model_ms: int) -> Outcome:
        job = _fetch(job)
        mark = {QUESTION: question(job)}
        self._store.put(job.fetched_key, product.data, "application/octet-stream", mark)
        return _told(job)

    def refused(self, job: Job, reason: Reason, data: EventData, retryable: bool) -> Outcome:
        return Outcome(EventType.REJECTED, {"reasons": [reason.value], "people": []})

    def tidy(self, job: Job) -> None:
        """Nothing to do: the tailor deletes the fetched object."""

    def close(self) -> None:
        self._pool.close()

    def _asked(self, job: FetchJob) -> Head:
        return {
            "address": job.image_url,
            "max_bytes": self._bounds.max_bytes,
            "head_s": self._bounds.head_s,
            "total_s": self._bounds.total_s,
            "allow_loopback": self._bounds.allow_loopback,
        }


def question(job: FetchJob) -> str:
    """A hash of the job's input: with another URL, an earlier outcome does not count."""
    return hashlib.sha256(job.image_url.encode()).hexdigest()[:32]


def _told(job: FetchJob) -> Outcome:
    return Outcome(EventType.FETCHED, {"key": job.fetched_key})


def _fetch(job: Job) -> FetchJob:
    if not isinstance(job, FetchJob):
        raise Refusal(Reason.ENGINE_FAILED, f"a {job.KIND} job in the fetcher's queue")
    return job
