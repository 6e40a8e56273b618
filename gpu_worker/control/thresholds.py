"""The simple law, the baseline of the learned one: slots by queue depth (up to 10 jobs: 1, up to
50: 4, else 8); an average wait above 10 s takes the last tier. Pure."""

from __future__ import annotations

from dataclasses import replace

from gpu_worker.contract import Law, Mode, Policy
from gpu_worker.control.demand import Demand
from gpu_worker.control.fleet import Rung
from gpu_worker.control.view import Memory, Terms, View

STEPS = ((10, 1, Mode.VIP), (50, 4, Mode.ECONOMY))
BEYOND = (8, Mode.SURGE)


def slots_by_depth(depth: int) -> tuple[int, Mode]:
    """Slots and mode for a queue of this many jobs, both lanes together."""
    return next(((slots, mode) for most, slots, mode in STEPS if depth <= most), BEYOND)


def thresholds(
    view: View, ladder: list[Rung], demand: Demand, memory: Memory, terms: Terms
) -> tuple[Policy, Memory]:
    """The policy by the law of thresholds, and the memory for the next call."""
    slots, mode = slots_by_depth(view.waiting)
    rung = 0
    if view.average_wait_s > terms.long_wait_s and len(ladder) > 1:
        rung, mode = len(ladder) - 1, Mode.DEGRADED
    policy = replace(demand.policy(ladder[rung], slots), mode=mode, law=Law.THRESHOLDS)
    return policy, replace(memory, rung=rung)
