"""Garments' latents, encoded once: most shoppers of an hour try the same few garments.

The posterior's noise is fixed by the garment's pixels, so that a cached and a fresh encoding are
the same bits and the try-on's seed alone decides the picture.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor

from gpu_worker.engine import Pixels, SeededNoise

CACHED_GARMENTS = 256  # 49 KB each at 768x1024


def content_key(garment: Pixels) -> str:
    """SHA-256 of size and pixels."""
    digest = hashlib.sha256(repr(garment.shape).encode())
    digest.update(garment.tobytes())
    return digest.hexdigest()


def noise_of(key: str) -> SeededNoise:
    return SeededNoise(int(key[:16], 16))


class GarmentCache:
    """The least recently used go first."""

    def __init__(self, size: int = CACHED_GARMENTS):
        self._size = size
        self._latents: OrderedDict[str, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._latents)

    def get(self, key: str, encode: Callable[[], Tensor]) -> Tensor:
        if key not in self._latents:
            self._latents[key] = encode()
            if len(self._latents) > self._size:
                self._latents.popitem(last=False)
        self._latents.move_to_end(key)
        return self._latents[key]
