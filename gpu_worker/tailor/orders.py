"""The tailor's input and output: arrays and words, no store, no queue."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gpu_worker.contract import Category, EventData, EventType
from gpu_worker.engine import Parts, Pixels


@dataclass(frozen=True, slots=True)
class PhotoOrder:
    """A decoded photo to check. `person`: which of several people, by index."""

    id: str
    pixels: Pixels
    person: int | None = None


@dataclass(frozen=True, slots=True)
class GarmentOrder:
    """A decoded garment's picture. `clean`: cut it from its background; refuse what cannot be."""

    id: str
    pixels: Pixels
    alpha: NDArray[np.uint8] | None
    category: Category
    clean: bool = True


@dataclass(frozen=True, slots=True)
class Fitted:
    """The result, and what to store: the clean picture, its parts, and for garments the cut-out for
    the screen, uint8 (h, w, 4)."""

    type: EventType
    data: EventData
    pixels: Pixels
    parts: Parts = field(default_factory=dict)
    cutout: NDArray[np.uint8] | None = None
