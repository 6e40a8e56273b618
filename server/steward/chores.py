"""What is due when: a chore runs every so often and, when it fails, is put off for longer.

Pure: time is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_REST_S = 10.0


@dataclass(slots=True)
class Chore:
    """`run(now)` every `every_s`. Failures in a row double the time until the next try."""

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
