"""Flags that the worker's threads share: stop, end, pause of claims, the begin of the current step.

Knows none of the threads. Thread-safe.
"""

from __future__ import annotations

import threading
import time

STORE_PAUSE_S = 2.0
NEVER = float("inf")


class Signals:
    """`stopping`: no more claims; `ended`: the keeping thread ends too; `stepping_since`: when the
    step under way began, by the monotonic clock, or `NEVER`."""

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
