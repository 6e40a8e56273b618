"""What jobs cost beyond what their merchants were charged with when they were claimed.

Knows claims and ms; whoever charges them is told what to charge. Thread-safe.
"""

from __future__ import annotations

import threading
from collections import defaultdict

from gpu_worker.contract import Lane
from gpu_worker.queue.leases import Claim

LEAST_MS = 10.0  # even a refusal costs something, or a flood of them would always be next
FIRST_GUESS_MS = 1000.0
WEIGHT = 0.2  # of the newest job in what is usual


class Bill:
    """Collects until somebody takes it. What is lost with a worker is a moment's fairness."""

    def __init__(self) -> None:
        self.usual_ms = FIRST_GUESS_MS
        self._due: dict[tuple[Lane, str], float] = defaultdict(float)
        self._lock = threading.Lock()

    def close(self, claim: Claim, spent_ms: float) -> None:
        """The job is ours no more, done or not; it had so much of our time."""
        with self._lock:
            cost = max(LEAST_MS, spent_ms)
            self._due[claim.lane, claim.merchant] += cost - claim.charged_ms
            if spent_ms > 0:
                self.usual_ms += WEIGHT * (spent_ms - self.usual_ms)

    def add(self, claim: Claim, ms: float) -> None:
        """It cost so much more, after it was closed."""
        with self._lock:
            self._due[claim.lane, claim.merchant] += ms

    def take(self) -> dict[tuple[Lane, str], float]:
        with self._lock:
            due, self._due = self._due, defaultdict(float)
            return dict(due)
