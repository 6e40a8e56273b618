"""Fair-share billing: what jobs cost beyond the estimate charged when they were claimed, in ms.

Knows claims and ms, no Redis: the keeping thread takes the amounts and charges them. Thread-safe.
"""

from __future__ import annotations

import threading
from collections import defaultdict

from gpu_worker.contract import Lane
from gpu_worker.queue.leases import Claim

LEAST_MS = 10.0  # even a refusal costs something, or a flood of them would always be next
FIRST_GUESS_MS = 1000.0  # the estimate before any job was measured
WEIGHT = 0.2  # of the newest job in the moving average `usual_ms`


class Bill:
    """Amounts due by lane and merchant, until `take`. In memory only: what dies with a worker is
    half a second's fairness, no job.

    A job that was charged 1000 ms at its claim and took 300 gives its merchant 700 back.
    `usual_ms`: the estimate for the next claim.
    """

    def __init__(self) -> None:
        self.usual_ms = FIRST_GUESS_MS
        self._due: dict[tuple[Lane, str], float] = defaultdict(float)
        self._lock = threading.Lock()

    def close(self, claim: Claim, spent_ms: float) -> None:
        """Books a job that leaves this worker, done or not, after `spent_ms` of work."""
        with self._lock:
            cost = max(LEAST_MS, spent_ms)
            self._due[claim.lane, claim.merchant] += cost - claim.charged_ms
            if spent_ms > 0:
                self.usual_ms += WEIGHT * (spent_ms - self.usual_ms)

    def add(self, claim: Claim, ms: float) -> None:
        """Books a cost that became known only after `close`."""
        with self._lock:
            self._due[claim.lane, claim.merchant] += ms

    def take(self) -> dict[tuple[Lane, str], float]:
        """The amounts due, below 0 to give back; each is returned once."""
        with self._lock:
            due, self._due = self._due, defaultdict(float)
            return dict(due)
