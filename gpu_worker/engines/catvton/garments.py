"""A cache of garments' latents: most shoppers of an hour try on the same few garments.

The noise of the VAE posterior follows from the garment's pixels, so that a cached and a fresh
encoding are bit for bit the same, and only the try-on's seed decides the picture. Behind the memory
there may be a store that all workers share (`SharedGarments`, passed in).
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gpu_worker.engine import Pixels, SeededNoise

CACHED_GARMENTS = 256  # 192 KiB each at 768x1024


class SharedGarments(Protocol):
    """Second cache level: bytes by key, for all workers. May lose entries: we encode again."""

    def take(self, key: str) -> bytes | None: ...

    def put(self, key: str, data: bytes) -> None: ...


def content_key(garment: Pixels) -> str:
    """SHA-256 of shape and pixels, in hex."""
    digest = hashlib.sha256(repr(garment.shape).encode())
    digest.update(garment.tobytes())
    return digest.hexdigest()


def noise_of(key: str) -> SeededNoise:
    """The noise of a garment's VAE posterior, from its `content_key`."""
    return SeededNoise(int(key[:16], 16))


class GarmentCache:
    """LRU cache of latents, float32 in the host's memory. Thread-safe."""

    def __init__(self, size: int = CACHED_GARMENTS, shared: SharedGarments | None = None):
        self._size = size
        self._shared = shared
        self._latents: OrderedDict[str, Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._latents)

    def get(self, key: str, shape: tuple[int, ...], encode: Callable[[], Tensor]) -> Tensor:
        """The latents (4, h, w) under `key`, which must identify garment, size and encoder: from
        memory, else from the shared store, else by `encode`."""
        with self._lock:
            if key in self._latents:
                self._latents.move_to_end(key)
                return self._latents[key]
        # Outside the lock: two threads may encode the same garment, to the same result.
        latents = self._from_shared(key, shape)
        if latents is None:
            latents = encode().cpu()
            self._to_shared(key, latents)
        with self._lock:
            self._latents[key] = latents
            while len(self._latents) > self._size:
                self._latents.popitem(last=False)
        return latents

    def _from_shared(self, key: str, shape: tuple[int, ...]) -> Tensor | None:
        data = self._shared.take(key) if self._shared else None
        return None if data is None else unpack(data, shape)

    def _to_shared(self, key: str, latents: Tensor) -> None:
        if self._shared:
            self._shared.put(key, pack(latents))


def pack(latents: Tensor) -> bytes:
    """As a .npy file: float32, bit for bit."""
    out = io.BytesIO()
    np.save(out, latents.float().cpu().numpy())
    return out.getvalue()


def unpack(data: bytes, shape: tuple[int, ...]) -> Tensor | None:
    """The latents; None if the bytes are no finite float32 array of this shape."""
    try:
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError):
        return None
    whole = array.dtype == np.float32 and array.shape == shape and bool(np.isfinite(array).all())
    return torch.from_numpy(array) if whole else None
