"""How long it may take and whether that is news: pure arithmetic over one engine's queue."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Place:
    """Where a queued try-on stands: 1 = next. `eta_s` None: nothing is known."""

    position: int | None
    eta_s: float | None


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


def moved(told: Mapping[str, Place], positions: Mapping[str, int], pace: Pace) -> dict[str, Place]:
    """The new places of those whose row shows another position, or another time.

    One that is in no line is being claimed or put back just now: no news of it.
    A time that only counts down with the clock is no news either, the screen counts by itself.
    """
    now = {
        row_id: Place(position, eta_s(position, pace))
        for row_id, position in positions.items()
        if row_id in told
    }
    return {row_id: place for row_id, place in now.items() if _is_news(told[row_id], place)}


def _is_news(told: Place, place: Place) -> bool:
    if told.position != place.position:
        return True
    if told.eta_s is None or place.eta_s is None:
        return told.eta_s is not place.eta_s
    return abs(told.eta_s - place.eta_s) > max(2.0, told.eta_s / 5)
