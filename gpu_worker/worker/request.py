"""A request in the worker, from claim to settlement, and the one stage that it is in.

Memory only: no Redis, no engine. `Book` holds them and is alone in moving them.
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
    """Where a request is. Each is in exactly one; `MOVES` says what comes next."""

    SUSPECT = "suspect"  # of being a poison message: untouched until nobody else is held
    FETCHING = "fetching"  # its inputs are on their way
    READY = "ready"  # they are here: it may join the next step
    RUNNING = "running"  # it has been given to the step loop
    LAST_STEP = "last_step"  # its slot is as good as free
    LEAVING = "leaving"  # its end is being told, or it goes back; it needs no slot any more
    GONE = "gone"  # ours no more


MOVES: Mapping[Stage, frozenset[Stage]] = {
    Stage.SUSPECT: frozenset({Stage.FETCHING, Stage.LEAVING}),
    Stage.FETCHING: frozenset({Stage.READY, Stage.LEAVING}),
    Stage.READY: frozenset({Stage.RUNNING, Stage.LEAVING}),
    Stage.RUNNING: frozenset({Stage.LAST_STEP, Stage.LEAVING}),
    # back where its batch held a poison message: it begins again, alone
    Stage.LAST_STEP: frozenset({Stage.RUNNING, Stage.LEAVING}),
    Stage.LEAVING: frozenset({Stage.GONE}),
    Stage.GONE: frozenset(),
}


class IllegalMoveError(Exception):
    """A request cannot come from the one stage to the other: a fault of ours."""


@dataclass(slots=True, eq=False)
class Request:
    """One job, from claim to settlement.

    What others own stays theirs: the lease is `claim`, RQ's book `rq_job`, the wire's words `job`,
    the engine's input `order`. Which thread may move it, always in the book's lock:

    - the claiming thread makes it, SUSPECT or FETCHING, and moves SUSPECT -> FETCHING;
    - a carrier moves FETCHING -> READY;
    - the step loop moves READY -> RUNNING, and to LAST_STEP and back;
    - any thread moves it to LEAVING, once; whoever did tells its end or hands it back, and moves
      it to GONE.

    `order`, `tier` and `carry_s` are written by the thread whose stage it is; `spent_ms` in the
    book's lock.
    """

    claim: Claim
    rq_job: RqJob
    job: Job
    stage: Stage = Stage.FETCHING
    order: object = None
    tier: Tier | None = None  # the rung it was admitted on
    carry_s: float = 0.0  # spent on its pictures outside the engine: store, decode, encode
    spent_ms: float = 0.0  # what its merchant pays for: the engine's time, work on its inputs
    claimed_at: float = field(default_factory=time.monotonic)
    kept_at: float = float("-inf")  # when its lease was last renewed for telling its end
    telling: threading.Lock = field(default_factory=threading.Lock)  # nothing after the end

    @property
    def id(self) -> str:
        return self.claim.job_id

    @property
    def is_ours(self) -> bool:
        """Whether somebody still works on it: it is not on its way out."""
        return self.stage not in (Stage.LEAVING, Stage.GONE)

    @property
    def needs_slot(self) -> bool:
        return self.is_ours and self.stage is not Stage.LAST_STEP

    @property
    def is_watched(self) -> bool:
        """Whether somebody sees a picture of it grow."""
        return bool(
            isinstance(self.job, TryOnJob) and self.job.partial_key and self.claim.lane is Lane.LIVE
        )

    def move(self, to: Stage) -> None:
        """Raises IllegalMoveError: `MOVES` does not have it."""
        if to not in MOVES[self.stage]:
            raise IllegalMoveError(f"job {self.id}: from {self.stage} to {to}")
        self.stage = to

    def admit(self, tier: Tier, partials: Sequence[float]) -> Run:
        """It joins the step loop, on the rung of this moment: whatever comes later, it stays there.

        Only a try-on has rungs. What the tailor does is kept apart by its kind."""
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
