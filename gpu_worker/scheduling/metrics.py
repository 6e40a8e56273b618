"""A worker's metrics: medians of step times by size and batch, and counters of events.

Numbers only: no Redis, no jobs. The heartbeat sends them, the arbitrator learns from them.
"""

from __future__ import annotations

import threading
from collections import deque
from statistics import median

KEPT = 50  # latest values of each kind: old ones go soon, and one slow step moves no median


class Metrics:
    """Thread-safe. Sizes are `Tier.size`, or whatever word keeps samples of two kinds apart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._step_ms: dict[tuple[str, int], deque[float]] = {}
        self._around_ms: dict[str, deque[float]] = {}
        self._steps: dict[str, deque[int]] = {}

    def count(self, what: str, by: int = 1) -> None:
        with self._lock:
            self._counts[what] = self._counts.get(what, 0) + by

    def step(self, size: str, batch: int, took_ms: float) -> None:
        """A step of `batch` samples took so long."""
        with self._lock:
            self._step_ms.setdefault((size, batch), deque(maxlen=KEPT)).append(took_ms)

    def around(self, size: str, took_ms: float) -> None:
        """A finished picture took so many ms of the engine outside its steps (`Run.around_s`)."""
        with self._lock:
            self._around_ms.setdefault(size, deque(maxlen=KEPT)).append(took_ms)

    def steps(self, tier: str, count: int) -> None:
        """A picture of this tier took so many steps."""
        with self._lock:
            self._steps.setdefault(tier, deque(maxlen=KEPT)).append(count)

    def curve(self, size: str) -> dict[int, float]:
        """What a step of b samples takes, in ms, for every b that was seen."""
        with self._lock:
            return {b: median(t) for (of, b), t in self._step_ms.items() if of == size}

    def counts(self) -> dict[str, int]:
        """By event, since the worker started."""
        with self._lock:
            return dict(self._counts)

    def snapshot(self) -> dict[str, str | int]:
        """The medians as flat fields of a Redis hash: `step_ms:<size>:<b>` and `around_ms:<size>`
        in ms, `steps:<tier>`."""
        with self._lock:
            steps = {f"step_ms:{of}:{b}": _ms(t) for (of, b), t in self._step_ms.items()}
            around = {f"around_ms:{of}": _ms(t) for of, t in self._around_ms.items()}
            many = {f"steps:{tier}": round(median(n)) for tier, n in self._steps.items()}
            return {**steps, **around, **many}


def _ms(times: deque[float]) -> str:
    return f"{median(times):.2f}"
