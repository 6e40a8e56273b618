"""`decide(view, memory, now)`: applies the chosen law, for the arbitrator and for a worker alone.

Pure: callers read Redis and the clock.
"""

from __future__ import annotations

from dataclasses import replace

from gpu_worker.contract import Law, Policy
from gpu_worker.control.arrivals import calmed, counted
from gpu_worker.control.demand import Demand
from gpu_worker.control.fleet import rungs
from gpu_worker.control.learned import learned
from gpu_worker.control.override import held_fast
from gpu_worker.control.thresholds import thresholds
from gpu_worker.control.view import Memory, Terms, View


def remember(memory: Memory, arrived: int, now: float, terms: Terms) -> Memory:
    """The memory with the arrivals of this turn: also for a process that does not decide now, so
    that it knows the rates when it has to."""
    return replace(memory, counts=counted(memory.counts, arrived, now, terms))


def decide(
    view: View, memory: Memory, now: float, terms: Terms | None = None
) -> tuple[Policy, Memory]:
    """One engine's policy from now on, and what to remember for the next call.

    `now`: Unix seconds, from the same clock in every call.
    """
    terms = terms or Terms()
    memory = remember(memory, view.arrived, now, terms)
    backlog = calmed(memory, view.waiting, now, terms)
    memory = replace(memory, backlog=backlog, looked_at=now)
    ladder = rungs(view.workers, terms)
    demand = Demand.of(view, memory, ladder, terms)
    if terms.law is Law.THRESHOLDS:
        policy, memory = thresholds(view, ladder, demand, memory, terms)
    else:
        policy, memory = learned(view, ladder, demand, memory, now, terms)
    if view.override:
        policy = held_fast(view.override, policy, ladder, demand)
    return replace(policy, ts=now, max_wait_ms=terms.max_wait_ms), memory
