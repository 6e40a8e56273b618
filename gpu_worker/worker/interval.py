"""Timers for what a loop does every so many seconds. Pure: time is passed in."""

from __future__ import annotations


class Intervals:
    """When each named action is due next. For one thread."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}

    def is_due(self, what: str, every_s: float, now: float) -> bool:
        """True at most once in `every_s`, the first time at once."""
        if now < self._due.get(what, float("-inf")):
            return False
        self._due[what] = now + every_s
        return True
