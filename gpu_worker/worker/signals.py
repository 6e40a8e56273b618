"""What the worker's threads say to each other beside the requests: stop, end, claim later.

Made before all of them, so that none needs to know who listens. Thread-safe.
"""

from __future__ import annotations

import threading
import time

STORE_PAUSE_S = 2.0
NEVER = float("inf")


class Signals:
    """`stopping`: nobody claims any more; `ended`: the last loop ends; `stepping_since`: when the
    step under way began, by the monotonic clock."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.ended = threading.Event()
        self.stepping_since = NEVER
        self._claims_from = -NEVER

    def pause_claims(self) -> None:
        """The store is away: what would be claimed now could not be fetched."""
        self._claims_from = time.monotonic() + STORE_PAUSE_S

    @property
    def may_claim(self) -> bool:
        return time.monotonic() >= self._claims_from
