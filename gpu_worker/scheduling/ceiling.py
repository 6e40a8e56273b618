"""Limit of one size's batches, learned from out-of-memory errors (as AIMD: halve, add one).

Pure: counts steps, knows neither device nor samples.
"""

from __future__ import annotations

CALM_STEPS = 200  # doubled at every `broke`: good steps at the limit before one more is tried
LONGEST_CALM_STEPS = 12_800


class Ceiling:
    """`most`: the limit; None until memory ran out once.

    Running out at 8 sets it to 7 if 7 is the largest batch that has fitted, else to 4. After more
    than `_pause` good steps at the limit it rises by one.
    """

    def __init__(self) -> None:
        self.most: int | None = None
        self._proven = 0
        self._calm = 0
        self._pause = CALM_STEPS

    def broke(self, batch: int) -> None:
        """A batch of so many did not fit."""
        known = batch - 1 if self._proven == batch - 1 else batch // 2
        self.most = max(1, known)
        self._proven = min(self._proven, self.most)
        self._pause = min(LONGEST_CALM_STEPS, self._pause * 2)
        self._calm = 0

    def held(self, batch: int) -> None:
        """A batch of so many fitted."""
        self._proven = max(self._proven, batch)
        if self.most is None or batch < self.most:
            return
        self._calm += 1
        if self._calm > self._pause:
            self.most, self._calm = self.most + 1, 0
