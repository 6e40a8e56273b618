"""What a thread does now and then: whether it is time."""

from __future__ import annotations

import time


class Intervals:
    """For one thread."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}

    def is_due(self, what: str, every_s: float) -> bool:
        """True at most once in `every_s`, the first time at once."""
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every_s
        return True
