"""A request: one claimed job, from claim to settlement; a finite state machine of seven stages.

Memory only: no Redis, no engine. `Book` holds all requests, and only `Book` moves them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from rq.job import Job as RqJob

from gpu_worker.contract import Job, Lane, Tier, TryOnJob
from gpu_worker.engine import Order
from gpu_worker.queue.leases import Claim
from gpu_worker.scheduling.run import Run


class Stage(StrEnum):
    """The state of a request. `MOVES` is the table of legal moves."""

    SUSPECT = "suspect"  # perhaps a poison message: waits until only suspects are held
    FETCHING = "fetching"  # a carrier fetches its inputs
    READY = "ready"  # its inputs are here: it may join the next step
    RUNNING = "running"  # in the step loop
    LAST_STEP = "last_step"  # a job for its slot may be claimed
    LEAVING = "leaving"  # its result is stored and reported, or it is handed back; needs no slot
    GONE = "gone"  # no longer held


MOVES: Mapping[Stage, frozenset[Stage]] = {
    Stage.SUSPECT: frozenset({Stage.FETCHING, Stage.LEAVING}),
    Stage.FETCHING: frozenset({Stage.READY, Stage.LEAVING}),
    Stage.READY: frozenset({Stage.RUNNING, Stage.LEAVING}),
    Stage.RUNNING: frozenset({Stage.LAST_STEP, Stage.LEAVING}),
    # back to RUNNING if its last step raised: it begins again, alone
    Stage.LAST_STEP: frozenset({Stage.RUNNING, Stage.LEAVING}),
    Stage.LEAVING: frozenset({Stage.GONE}),
    Stage.GONE: frozenset(),
}


class IllegalMoveError(Exception):
    """`MOVES` does not have this move: a fault in the worker."""


@dataclass(slots=True, eq=False)
class Request:
    """One job, from claim to settlement.

    Each part has one owner: `claim` is the lease, `rq_job` RQ's record, `job` the message on the
    wire, `order` the engine's input. Which thread may move it, always in the book's lock:

    - the claiming thread makes it, SUSPECT or FETCHING, and moves SUSPECT -> FETCHING;
    - a carrier moves FETCHING -> READY;
    - the step loop moves READY -> RUNNING, and to LAST_STEP and back;
    - any thread moves it to LEAVING, once; that thread then reports its end or hands it back, or
      submits a task that does, after which it is moved to GONE.

    `order`, `tier` and `carry_s` are written by the thread whose stage it is; `spent_ms` in the
    book's lock.
    """

    claim: Claim
    rq_job: RqJob
    job: Job
    stage: Stage = Stage.FETCHING
    order: object = None
    tier: Tier | None = None  # at which it was admitted
    carry_s: float = 0.0  # time outside the engine: store, decode, encode
    spent_ms: float = 0.0  # what its merchant pays for: the engine's time, work on its inputs
    claimed_at: float = field(default_factory=time.monotonic)
    kept_at: float = float("-inf")  # the lease was claimed, or renewed to report its end
    telling: threading.Lock = field(default_factory=threading.Lock)  # no event after the final one

    @property
    def id(self) -> str:
        return self.claim.job_id

    @property
    def is_ours(self) -> bool:
        """Whether it may still be worked on: neither LEAVING nor GONE."""
        return self.stage not in (Stage.LEAVING, Stage.GONE)

    @property
    def needs_slot(self) -> bool:
        return self.is_ours and self.stage is not Stage.LAST_STEP

    @property
    def is_watched(self) -> bool:
        """Whether its shopper sees partial pictures."""
        return bool(
            isinstance(self.job, TryOnJob) and self.job.partial_key and self.claim.lane is Lane.LIVE
        )

    def move(self, to: Stage) -> None:
        """For `Book`, in its lock.

        Raises:
            IllegalMoveError: `MOVES` does not have it.
        """
        if to not in MOVES[self.stage]:
            raise IllegalMoveError(f"job {self.id}: from {self.stage} to {to}")
        self.stage = to

    def admit(self, tier: Tier, partials: Sequence[float]) -> Run:
        """Makes its run for the step loop, at this tier; a later policy does not change it.

        Only a try-on has a tier, whose size is its bucket. Other jobs share steps by kind.
        """
        if isinstance(self.job, TryOnJob):
            self.tier = tier
        if isinstance(self.order, Order):
            self.order = replace(self.order, tier=tier)
        return Run(
            id=self.id,
            lane=self.claim.lane,
            merchant=self.claim.merchant,
            bucket=tier.size if isinstance(self.job, TryOnJob) else self.job.KIND,
            alone=self.claim.runs_alone,
            order=self.order,
            partials=partials if self.is_watched else (),
        )
