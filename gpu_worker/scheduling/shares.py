"""Fair-share accounting of the engine's time, as in deficit round robin, in ms.

Pure arithmetic: knows neither samples nor merchants.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")


class Shares(Generic[K]):
    """`ahead(x)`: the ms that x got minus the ms it was entitled to; a newcomer begins at 0.

    `pay` keeps the sum over those present: what one is ahead, others are behind. The caller runs
    whoever has the lowest `ahead`. Every ms that others get lowers that of those who wait, so
    nobody starves, however many newcomers there are.
    """

    def __init__(self) -> None:
        self._ahead: dict[K, float] = {}

    def ahead(self, who: K) -> float:
        return self._ahead.get(who, 0.0)

    def pay(
        self, took: Mapping[K, float], present: Mapping[K, float], waiting: Container[K]
    ) -> None:
        """Books one step. `took`: ms of each that ran; `present`: weight of each that has work, all
        of `took` among them; `waiting`: who of them wanted more than it got.

        Who wanted no more is entitled to what it took, at most to its weight's part; those waiting
        divide the rest by weight. With equal weights, of a step of 60 ms:

        - A had all, A and B wait: each is entitled to 30, so A is 30 ahead and B 30 behind.
        - A had 50 and waits, B had 10 and wants no more: B is entitled to 10 and A to 50, so
          nobody is ahead.
        """
        total, whole = sum(took.values()), sum(present.values())
        due = {
            who: min(took.get(who, 0.0), total * weight / whole)
            for who, weight in present.items()
            if who not in waiting
        }
        hungry = sum(weight for who, weight in present.items() if who in waiting)
        if not hungry:  # all got what they wanted: nobody was kept waiting for another
            return
        rest = total - sum(due.values())
        for who, weight in present.items():
            entitled = due[who] if who in due else rest * weight / hungry
            self._ahead[who] = self.ahead(who) + took.get(who, 0.0) - entitled
        self._melt(rest / hungry, present)

    def clear(self) -> None:
        self._ahead.clear()

    def _melt(self, by: float, present: Container[K]) -> None:
        """Ages the accounts of those without work: credit is dropped at once, debt falls by `by` ms
        (what weight 1 was entitled to), so that nobody clears a debt by leaving and coming back.
        """
        for who in [who for who in self._ahead if who not in present]:
            self._ahead[who] -= by
            if self._ahead[who] <= 0:
                del self._ahead[who]
