"""How many samples of one size a device holds, found out by running out of memory.

Pure: counts steps, knows neither device nor samples.
"""

from __future__ import annotations

CALM_STEPS = 200  # at the ceiling without trouble: then one more is tried
LONGEST_CALM_STEPS = 12_800


class Ceiling:
    """None until memory ran out once. Halved then, or set to what is known to hold; raised again
    by one, ever more rarely."""

    def __init__(self) -> None:
        self.most: int | None = None
        self._proven = 0
        self._calm = 0
        self._pause = CALM_STEPS

    def broke(self, batch: int) -> None:
        """So many did not fit."""
        known = batch - 1 if self._proven == batch - 1 else batch // 2
        self.most = max(1, known)
        self._proven = min(self._proven, self.most)
        self._pause = min(LONGEST_CALM_STEPS, self._pause * 2)
        self._calm = 0

    def held(self, batch: int) -> None:
        """So many fitted."""
        self._proven = max(self._proven, batch)
        if self.most is None or batch < self.most:
            return
        self._calm += 1
        if self._calm > self._pause:
            self.most, self._calm = self.most + 1, 0
