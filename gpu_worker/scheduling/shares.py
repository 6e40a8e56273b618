"""Accounts of the engine's time: who has had how much more or less than its share, in ms.

Pure arithmetic: knows neither samples nor merchants.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")


class Shares(Generic[K]):
    """What one is ahead, others are behind: among those present it sums to what they brought.

    Whoever waits falls behind with every millisecond that others have, so that going by `ahead`
    starves nobody, however many come anew: they begin at zero.
    """

    def __init__(self) -> None:
        self._ahead: dict[K, float] = {}

    def ahead(self, who: K) -> float:
        return self._ahead.get(who, 0.0)

    def pay(
        self, took: Mapping[K, float], present: Mapping[K, float], waiting: Container[K]
    ) -> None:
        """Divides one step. `took`: the ms of each who ran; `present`: the weight of each who has
        work, all of `took` among them; `waiting`: who of them wanted more than it got.

        Who wanted no more is due no more than it took; the others divide what is left.
        """
        total, whole = sum(took.values()), sum(present.values())
        due = {
            who: min(took.get(who, 0.0), total * weight / whole)
            for who, weight in present.items()
            if who not in waiting
        }
        hungry = sum(weight for who, weight in present.items() if who in waiting)
        if not hungry:
            return
        rest = total - sum(due.values())
        for who, weight in present.items():
            entitled = due[who] if who in due else rest * weight / hungry
            self._ahead[who] = self.ahead(who) + took.get(who, 0.0) - entitled
        self._melt(rest / hungry, present)

    def clear(self) -> None:
        self._ahead.clear()

    def _melt(self, by: float, present: Container[K]) -> None:
        """Of those who have no work: what they are owed is forgotten, what they owe in time."""
        for who in [who for who in self._ahead if who not in present]:
            self._ahead[who] -= by
            if self._ahead[who] <= 0:
                del self._ahead[who]
