"""Predicts waiting times: how fast an engine draws, and when each queued try-on will be done.

Used when a try-on is accepted and by the steward, which keeps places and times up to date. The
speed comes from the arbitrator's policy; without one, from recently finished rows.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from gpu_worker.contract import DEFAULT_BATCH_SIZE, Policy, TryOnStatus
from server.models import TryOn

RECENT = 20  # pictures
RECENT_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """Throughput model of an engine: `slots` pictures in parallel, `picture_s` seconds each from
    the first step to the end (None: nothing drawn lately). `running`: how many run now; `left_s`:
    seconds that each of those still needs, empty where `picture_s` is None."""

    slots: int
    picture_s: float | None
    left_s: Sequence[float] = ()
    running: int = 0

    def waits(self) -> Iterator[float]:
        """Seconds until the picture of queue position 1, 2, 3 … is done; an endless iterator. Each
        takes the slot that becomes free first.

        Raises:
            ValueError: `picture_s` is None.
        """
        if self.picture_s is None:
            raise ValueError("this engine has not been seen to work")
        # If more run than there are slots, those that need longest keep the slots.
        busy = heapq.nlargest(self.slots, self.left_s)
        free_in = [0.0] * (self.slots - len(busy)) + busy
        heapq.heapify(free_in)
        while True:
            done = free_in[0] + self.picture_s
            heapq.heapreplace(free_in, done)
            yield done

    def wait(self, position: int) -> float | None:
        """Seconds until the picture at this queue position (1 = next) is done; None if unknown."""
        if self.picture_s is None:
            return None
        return next(wait for place, wait in enumerate(self.waits(), start=1) if place == position)


def left_s(row: TryOn, picture_s: float, now: datetime) -> float:
    """Seconds that a running try-on still needs: by its steps, or by the clock before the first
    step and for engines that have only one."""
    if row.steps > 1 and row.step:
        return picture_s * (1 - min(1.0, row.step / row.steps))
    elapsed = (now - row.started_at).total_seconds() if row.started_at else 0.0
    return max(0.0, picture_s - elapsed)


def learn(session: Session, engine: str, policy: Policy | None, now: datetime) -> Pace:
    """The engine's present pace, from its policy and its rows."""
    slots, picture_s = _slots(policy), _picture_s(session, engine, policy, now)
    running = session.scalars(
        select(TryOn).where(TryOn.engine == engine, TryOn.status == TryOnStatus.RUNNING)
    ).all()
    left = [] if picture_s is None else [left_s(row, picture_s, now) for row in running]
    return Pace(slots, picture_s, left, len(running))


def _slots(policy: Policy | None) -> int:
    """Pictures in parallel over all workers, by Little's law: throughput times time in system."""
    if policy is None:
        return DEFAULT_BATCH_SIZE
    return max(1, policy.batch_size, round(policy.rate_per_s * policy.picture_s))


def _picture_s(session: Session, engine: str, policy: Policy | None, now: datetime) -> float | None:
    """Seconds of one picture: the policy's plus the usual overhead, or else the recent median."""
    took, around = _recent(session, engine, now)
    if policy is not None and policy.picture_s > 0:
        return policy.picture_s + (usual(around) or 0.0)
    return usual(took)


def _recent(session: Session, engine: str, now: datetime) -> tuple[list[float], list[float]]:
    """Of the last pictures: seconds from the first step to the end, and how many of those were
    spent outside the engine (storing, waiting for a slot again)."""
    rows = session.execute(
        select(TryOn.started_at, TryOn.finished_at, TryOn.model_ms)
        .where(
            TryOn.engine == engine,
            TryOn.status == TryOnStatus.SUCCEEDED,
            TryOn.created_at > now - RECENT_FOR,
        )
        .order_by(TryOn.created_at.desc())
        .limit(RECENT)
    )
    spans = [((end - start).total_seconds(), ms or 0) for start, end, ms in rows if start and end]
    return [took for took, _ in spans], [max(0.0, took - ms / 1000) for took, ms in spans]


def usual(spans_s: Sequence[float]) -> float | None:
    """The median of recent spans; None without any."""
    return median(spans_s) if spans_s else None
