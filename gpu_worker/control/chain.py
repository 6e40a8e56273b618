"""Queueing model of one worker: mean time in system if up to k jobs share each step.

A birth-death chain (M/M/1/K with a service rate that depends on how many run). Assumes Poisson
arrivals and memoryless service; finite, so that an overload has a solution too. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ROOM = 400  # K: most jobs at one worker, running and waiting; arrivals beyond are not counted
NEARLY = 1.05  # hysteresis: slots change only if their mean time exceeds the best by this factor
_TIE = 1e-9
_NOBODY_PER_S = 1e-12  # fewer arrivals than this are none: far below, numbers no longer divide


@dataclass(frozen=True, slots=True)
class Load:
    """The steady state: mean jobs waiting and running, and the throughput in jobs a second."""

    waiting: float
    running: float
    rate_per_s: float

    @property
    def stay_s(self) -> float:
        """Mean seconds from arrival to end (Little's law).

        Only half of the waiting counts: service times are nearly constant, and queues are then
        about half as long as with the memoryless service of the chain (M/D/1 against M/M/1).
        """
        return (self.waiting / 2 + self.running) / self.rate_per_s


def load(arrivals_per_s: float, rates_per_s: Sequence[float], room: int = ROOM) -> Load:
    """The chain's steady state for up to `room` jobs at the worker.

    `rates_per_s[n - 1]`: jobs a second that end while n share the steps, all above 0. With more
    jobs than slots (the length) the last rate applies and the others wait.
    """
    slots = len(rates_per_s)
    # weight: the probability of this many jobs relative to none, by balance of flow: as many arrive
    # in the state below as end in this one.
    weight, total, waiting, running, ended = 1.0, 1.0, 0.0, 0.0, 0.0
    for jobs in range(1, room + 1):
        sharing = min(jobs, slots)
        weight *= arrivals_per_s / rates_per_s[sharing - 1]
        total += weight
        waiting += weight * (jobs - sharing)
        running += weight * sharing
        ended += weight * rates_per_s[sharing - 1]
        if jobs > slots and weight < _TIE * _TIE * total:
            break  # a light load: states with more jobs have no weight
        if total > 1e200:  # rescale before a float overflows
            weight, total, waiting, running, ended = (
                part / total for part in (weight, total, waiting, running, ended)
            )
    return Load(waiting / total, running / total, ended / total)


def best_slots(
    arrivals_per_s: float, rates_per_s: Sequence[float], room: int = ROOM, before: int = 0
) -> int:
    """The number of slots k with the shortest mean time in system; the smaller of two equal ones.

    `before`, the slots in force, is kept while it is nearly as good: every change alters the times
    of pictures under way, which shoppers have already been told.
    """
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
