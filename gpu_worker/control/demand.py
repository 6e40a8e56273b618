"""The load on one average worker, and the predicted wait of a job that arrives now. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from gpu_worker.contract import Policy
from gpu_worker.control.arrivals import mean_per_s
from gpu_worker.control.fleet import Rung
from gpu_worker.control.view import Memory, Terms, View


@dataclass(frozen=True, slots=True)
class Demand:
    """The load of an engine, divided by its workers.

    per_s: pictures a second that one worker must begin.
    held, waiting: live jobs that it has claimed, and that wait in the queue for it.
    before: the rung in force, on which pictures under way were begun.
    """

    workers: int
    per_s: float
    held: float
    waiting: float
    before: Rung

    @classmethod
    def of(cls, view: View, memory: Memory, ladder: list[Rung], terms: Terms) -> Demand:
        workers = max(1, len(view.workers))
        # New jobs, and the backlog within `backlog_s`.
        per_s = mean_per_s(memory.counts, terms) + memory.backlog / terms.backlog_s
        held = sum(seen.live for seen in view.workers)
        before = ladder[min(memory.rung, len(ladder) - 1)]
        return cls(workers, per_s / workers, held / workers, view.live_waiting / workers, before)

    def predicted_s(self, rung: Rung, slots: int) -> float:
        """Seconds until the picture of a job that arrives now. The rung's times must be known.

        With all slots taken it waits for jobs ahead to end, one every picture time / slots: the
        running ones at the speed of the rung before, the waiting ones at that of this rung.
        """
        ahead = self.held + self.waiting
        if ahead < slots:
            return rung.at(ceil(ahead) + 1)
        leaving = ahead - slots + 1
        running = min(leaving, self.held, slots)
        queued_s = running * self.before.at(slots) + (leaving - running) * rung.at(slots)
        return queued_s / slots + rung.at(slots)

    def policy(self, rung: Rung, slots: int) -> Policy:
        """The policy of these slots on this rung, with its predictions."""
        if not rung.picture_s:
            return Policy(batch_size=slots, tier=rung.tier.name)
        together = min(slots, ceil(self.held + self.waiting) + 1)
        return Policy(
            batch_size=slots,
            tier=rung.tier.name,
            picture_s=round(rung.at(together), 4),
            rate_per_s=round(self.workers * slots / rung.at(slots), 4),
            predicted_s=round(self.predicted_s(rung, slots), 4),
        )
