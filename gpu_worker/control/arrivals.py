"""Arrival rate from a monotonic counter (windowed mean), and a smoothed queue length. Pure."""

from __future__ import annotations

from math import exp

from gpu_worker.control.view import Memory, Terms

Counts = tuple[tuple[float, int], ...]
_SAMPLES = 60


def counted(counts: Counts, arrived: int, now: float, terms: Terms) -> Counts:
    """The readings with one more, within the window. A counter that fell was lost with its Redis:
    the readings begin again."""
    if counts and (arrived < counts[-1][1] or now < counts[-1][0]):
        counts = ()
    spacing_s = terms.window_s / _SAMPLES
    if len(counts) > 1 and counts[-1][0] - counts[-2][0] < spacing_s:
        counts = counts[:-1]  # bounds memory: only the newest may be close to the one before it
    counts = (*counts, (now, arrived))
    begun = now - terms.window_s
    while len(counts) > 2 and counts[1][0] <= begun:
        counts = counts[1:]
    return counts


def mean_per_s(counts: Counts, terms: Terms) -> float:
    """Jobs a second over the window, or over as much of it as was seen."""
    if len(counts) < 2:
        return 0.0
    (begun, before), (now, arrived) = counts[0], counts[-1]
    # At least a thirtieth of the window: two jobs in the first second are no rate to plan for.
    return (arrived - before) / max(now - begun, terms.window_s / 30)


def calmed(memory: Memory, waiting: int, now: float, terms: Terms) -> float:
    """The number of waiting jobs, as an exponential moving average.

    Not the number itself: with each job that comes or goes the slots would change, and with them
    the time of every picture under way. After a long pause, or when the clock was set, only the new
    number counts.
    """
    weight = 1 - exp(-abs(now - memory.looked_at) / terms.calm_s)
    return memory.backlog + weight * (waiting - memory.backlog)
