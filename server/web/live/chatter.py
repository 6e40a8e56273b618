"""Limits on what clients send after their hello: a sliding window counts, and reads are throttled.

Must not know sockets and callers. Unread data is cheap: a client that sends faster than we read
fills a small kernel buffer here, and then its own (TCP back-pressure).
"""

from __future__ import annotations

import time
from collections import deque

WINDOW_S = 10.0
READS = 50  # per window without throttling; pings and pongs count, too
REST_S = 1.0  # pause before each further read


class Window:
    """Sliding window counter over the last `WINDOW_S`. Not thread-safe."""

    def __init__(self) -> None:
        self._when: deque[float] = deque()

    def count(self, things: int, now: float) -> int:
        """Adds `things` at `now` (monotonic seconds); returns the count in the window."""
        self._when.extend([now] * things)
        while self._when and self._when[0] <= now - WINDOW_S:
            self._when.popleft()
        return len(self._when)


class Pace:
    """Throttles the reads of one socket, once there are more than READS in a window."""

    def __init__(self) -> None:
        self._reads = Window()

    def wait(self) -> None:
        if self._reads.count(1, time.monotonic()) > READS:
            time.sleep(REST_S)
