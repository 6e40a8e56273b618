"""Periodic tasks with exponential back-off. Pure: time is passed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_REST_S = 10.0


@dataclass(slots=True)
class Chore:
    """One periodic task: `run(now)` every `every_s`. Consecutive failures double the pause, from
    0.5 s or `every_s` up to LONGEST_REST_S; it is never shorter than `every_s`."""

    name: str
    every_s: float
    run: Callable[[datetime], None]
    due_at: datetime | None = None
    failures: int = 0

    def is_due(self, now: datetime) -> bool:
        return self.due_at is None or now >= self.due_at

    def succeeded(self, now: datetime) -> None:
        self.failures = 0
        self.due_at = now + timedelta(seconds=self.every_s)

    def failed(self, now: datetime) -> None:
        rest_s = min(LONGEST_REST_S, max(0.5, self.every_s) * 2.0**self.failures)
        self.failures = min(self.failures + 1, 10)
        self.due_at = now + timedelta(seconds=max(rest_s, self.every_s))
