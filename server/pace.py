"""How fast an engine works, learned from the rows, and how long it may take to get to a place.

Shared by whoever puts a try-on in line and by the steward, who keeps every place true.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from gpu_worker.contract import TryOnStatus
from server.models import TryOn

RECENT = 20
RECENT_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an engine works. `duration_s` None: it has not been seen to work lately."""

    slots: int
    duration_s: float | None
    elapsed_s: Sequence[float] = ()  # of each try-on that runs now


def eta_s(position: int, pace: Pace) -> float | None:
    """Seconds until the picture of the one at `position` (1 = next), in whole seconds.

    The running ones free their slots together when the slowest has had its usual time; from then
    on a full batch leaves every `duration_s`.
    """
    if pace.duration_s is None:
        return None
    free = max(0, pace.slots - len(pace.elapsed_s))
    if position <= free:
        return float(math.ceil(pace.duration_s))
    running = [pace.duration_s - elapsed for elapsed in pace.elapsed_s]
    left = max(running, default=pace.duration_s)  # where none runs, a batch starts now
    batches = math.ceil((position - free) / pace.slots)
    return float(math.ceil(max(0.0, left) + batches * pace.duration_s))


def usual(durations_s: Sequence[float]) -> float | None:
    """The duration to expect, from recent ones; None where there are none."""
    return median(durations_s) if durations_s else None


def learn(session: Session, engine: str, slots: int, now: datetime) -> Pace:
    """The pace of the engine's last hour, and what runs there now."""
    of_engine = select(TryOn.started_at, TryOn.finished_at).where(TryOn.engine == engine)
    recent = session.execute(
        of_engine.where(TryOn.status == TryOnStatus.SUCCEEDED, TryOn.created_at > now - RECENT_FOR)
        .order_by(TryOn.created_at.desc())
        .limit(RECENT)
    )
    durations = [(end - start).total_seconds() for start, end in recent if start and end]
    running = session.execute(of_engine.where(TryOn.status == TryOnStatus.RUNNING))
    elapsed = [(now - start).total_seconds() for start, _ in running if start]
    return Pace(max(1, slots), usual(durations), elapsed)
