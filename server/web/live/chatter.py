"""What an open socket still says after its hello, though it has nothing to say: counted, slowed.

Knows no socket and no caller. What is not read costs little: whoever sends faster than he is read
fills a small buffer here, and then his own network's.
"""

from __future__ import annotations

import time
from collections import deque

WINDOW_S = 10.0
READS = 50  # in a window at full speed; pings are read, too
REST_S = 1.0


class Window:
    """How many things happened within the last `WINDOW_S`."""

    def __init__(self) -> None:
        self._when: deque[float] = deque()

    def count(self, things: int, now: float) -> int:
        """Adds some; how many there were in the window, with them."""
        self._when.extend([now] * things)
        while self._when and self._when[0] <= now - WINDOW_S:
            self._when.popleft()
        return len(self._when)


class Pace:
    """Slows who is read too often."""

    def __init__(self) -> None:
        self._reads = Window()

    def wait(self) -> None:
        if self._reads.count(1, time.monotonic()) > READS:
            time.sleep(REST_S)
