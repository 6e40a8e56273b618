"""How long a worker's shoppers stay when up to k of them share each step: a birth-death chain.

Pure arithmetic: arrivals are random (Poisson), a job's service is taken for memoryless, the room
is finite so that an overload has an answer too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ROOM = 400  # jobs at one worker, running and waiting; who comes beyond is not counted
NEARLY = 1.05  # times the shortest stay: whoever changes for less only confuses those who wait
_TIE = 1e-9
_NOBODY_PER_S = 1e-12  # fewer arrivals than this are none: far below, numbers no longer divide


@dataclass(frozen=True, slots=True)
class Load:
    """Mean jobs waiting and running, and jobs a second that get through."""

    waiting: float
    running: float
    rate_per_s: float

    @property
    def stay_s(self) -> float:
        """Mean seconds from arrival to end. Half of the waiting counts: a service that takes
        nearly the same time for all makes queues about half as long as the chain believes."""
        return (self.waiting / 2 + self.running) / self.rate_per_s


def load(arrivals_per_s: float, rates_per_s: Sequence[float], room: int = ROOM) -> Load:
    """The chain at rest. `rates_per_s[n - 1]`: jobs a second that end while n share the steps;
    with more jobs than that the last one holds and the rest wait. All must be above 0."""
    slots = len(rates_per_s)
    weight, total, waiting, running, ended = 1.0, 1.0, 0.0, 0.0, 0.0
    for jobs in range(1, room + 1):
        sharing = min(jobs, slots)
        weight *= arrivals_per_s / rates_per_s[sharing - 1]
        total += weight
        waiting += weight * (jobs - sharing)
        running += weight * sharing
        ended += weight * rates_per_s[sharing - 1]
        if jobs > slots and weight < _TIE * _TIE * total:
            break  # an easy load: the rest of the room stands empty
        if total > 1e200:  # the same proportions, in numbers that fit
            weight, total, waiting, running, ended = (
                part / total for part in (weight, total, waiting, running, ended)
            )
    return Load(waiting / total, running / total, ended / total)


def best_slots(
    arrivals_per_s: float, rates_per_s: Sequence[float], room: int = ROOM, before: int = 0
) -> int:
    """The k whose mean stay is shortest; the smaller of two that are equal. `before`, the slots in
    force, stay as long as they are nearly as good: with every change a picture takes another time,
    and who was told hers was told wrong."""
    if arrivals_per_s <= _NOBODY_PER_S:
        return 1
    stays_s = [
        load(arrivals_per_s, rates_per_s[:slots], room).stay_s
        for slots in range(1, len(rates_per_s) + 1)
    ]
    shortest = min(stays_s)
    if 1 <= before <= len(stays_s) and stays_s[before - 1] <= shortest * NEARLY:
        return before
    return next(k for k, stay_s in enumerate(stays_s, start=1) if stay_s <= shortest * (1 + _TIE))
