"""Shared cache of garments' latents in the object store: one worker encodes, all read.

Knows keys and bytes. Optional: when the store is away, a worker encodes for itself.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor

from gpu_worker.storage.store import ObjectMissingError, ObjectTooLargeError, Store, StoreAwayError

log = logging.getLogger(__name__)

PREFIX = "cache/garments"  # everything under cache/ may be deleted at any time
MAX_BYTES = 16 << 20
PAUSE_S = 30.0  # circuit breaker: no call for so long after one failed, or each try-on would wait


class GarmentObjects:
    """The cache, by key. `take` asks the store; `put` returns at once, one thread stores."""

    def __init__(self, store: Store):
        self._store = store
        self._away_until = 0.0
        self._storing = ThreadPoolExecutor(1, "garments")

    def take(self, key: str) -> bytes | None:
        if time.monotonic() < self._away_until:
            return None
        try:
            return self._store.get(_path(key), MAX_BYTES)
        except (ObjectMissingError, ObjectTooLargeError):
            return None
        except StoreAwayError as error:
            self._pause(error)
            return None

    def put(self, key: str, data: bytes) -> None:
        if time.monotonic() >= self._away_until:
            self._storing.submit(self._put, key, data)

    def _put(self, key: str, data: bytes) -> None:
        try:
            self._store.put(_path(key), data, "application/octet-stream")
        except StoreAwayError as error:
            self._pause(error)

    def _pause(self, error: Exception) -> None:
        self._away_until = time.monotonic() + PAUSE_S
        log.warning("garments' latents are not shared for %.0f s: %s", PAUSE_S, error)


def _path(key: str) -> str:
    return f"{PREFIX}/{key}.npy"
