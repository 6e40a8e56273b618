"""Autoscaling: how many workers an engine should have. Pure."""

from __future__ import annotations

from math import ceil

from gpu_worker.control.arrivals import mean_per_s
from gpu_worker.control.fleet import rungs
from gpu_worker.control.view import Memory, Terms, View

BUSY = 0.75


def wanted_workers(view: View, memory: Memory, terms: Terms) -> int:
    """Workers for a utilisation of three quarters at the best tier, plus those for the backlog that
    the present workers cannot finish before new ones could help."""
    best = rungs(view.workers, terms)[0]
    held = sum(seen.held for seen in view.workers)
    if not best.picture_s:
        return max(len(view.workers), int(view.waiting + held > 0))
    worker_s = 1 / max(best.rates_per_s)  # of one worker, for one picture
    return wanted(
        arrivals_per_s=mean_per_s(memory.counts, terms),
        worker_s=worker_s,
        work_s=(view.waiting + held / 2) * worker_s,  # a claimed job is half done on average
        workers=len(view.workers),
        terms=terms,
    )


def wanted(
    *, arrivals_per_s: float, worker_s: float, work_s: float, workers: int, terms: Terms
) -> int:
    """The formula. `worker_s`: seconds of a worker for one picture; `work_s`: for all jobs that
    wait or are under way."""
    steady = arrivals_per_s * worker_s / BUSY
    late_s = max(0.0, work_s - workers * terms.drain_s)
    # The small number keeps a rounding error from adding a worker.
    return ceil(steady + late_s / (terms.cold_start_s + terms.drain_s) - 1e-9)
