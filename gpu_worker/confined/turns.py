"""A fair semaphore: no owner ever holds all places, and the owner with the fewest comes next.

Knows owners and counts; what a place is, only its user knows. Thread-safe.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

Place = TypeVar("Place")
Owner = str | None  # None: no owner, no limit


@dataclass(frozen=True, slots=True, eq=False)
class _Ticket:
    owner: Owner


class Turns(Generic[Place]):
    """Hands out places. With two or more, one owner holds at most all but one at a time: however
    long its work takes, another owner's finds a place."""

    def __init__(self, places: list[Place]):
        self._free = list(places)
        self._most = max(1, len(places) - 1)
        self._busy: Counter[Owner] = Counter()
        self._waiting: list[_Ticket] = []  # in order of arrival
        self._changed = threading.Condition()

    @contextmanager
    def place(self, owner: Owner) -> Iterator[Place]:
        """Waits for a place; of several free ones it is the one used last, whose child is warm."""
        place = self._take(owner)
        try:
            yield place
        finally:
            with self._changed:
                self._free.append(place)
                self._busy -= Counter([owner])
                self._changed.notify_all()

    def waiting(self) -> int:
        with self._changed:
            return len(self._waiting)

    def _take(self, owner: Owner) -> Place:
        me = _Ticket(owner)
        with self._changed:
            self._waiting.append(me)
            self._changed.wait_for(lambda: self._free and self._next() is me)
            self._waiting.remove(me)
            self._busy[owner] += 1
            self._changed.notify_all()  # there may be another free place for the next one
            return self._free.pop()

    def _next(self) -> _Ticket | None:
        """The next to get a place: whose owner has the fewest, and of equals the first to come."""
        may = [one for one in self._waiting if self._may(one.owner)]
        return min(may, key=lambda one: self._busy[one.owner], default=None)

    def _may(self, owner: Owner) -> bool:
        return owner is None or self._busy[owner] < self._most
