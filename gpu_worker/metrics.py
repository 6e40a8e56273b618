"""What a worker counts about itself, for its heartbeat and, later, for the arbitrator.

Numbers only: no Redis, no jobs.
"""

from __future__ import annotations

import threading
from collections import deque
from statistics import median

KEPT_STEPS = 50


class Metrics:
    """Thread-safe counters, and the recent step times by batch size (the learned curve's input)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._step_ms: dict[int, deque[float]] = {}

    def count(self, what: str, by: int = 1) -> None:
        with self._lock:
            self._counts[what] = self._counts.get(what, 0) + by

    def step(self, batch: int, took_ms: float) -> None:
        with self._lock:
            self._step_ms.setdefault(batch, deque(maxlen=KEPT_STEPS)).append(took_ms)

    def snapshot(self) -> dict[str, str | int]:
        """Flat words for a Redis hash: counts, and `step_ms_<batch>` as recent medians."""
        with self._lock:
            steps = {f"step_ms_{b}": f"{median(t):.1f}" for b, t in self._step_ms.items()}
            return {**self._counts, **steps}
