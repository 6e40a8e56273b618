"""Warnings: what could be better in a photo that is good enough. Knows the photo; no garment.

Every hint makes the shopper stop, so only what is certain is reported.
"""

from __future__ import annotations

import numpy as np

from gpu_worker.contract import Hint
from gpu_worker.engine import Pixels
from gpu_worker.vision.pose import Person
from gpu_worker.vision.pose.plausible import LEGS_FROM_TL, WAIST_TL, arms_crossed

_BRIGHTEST = 98  # percentile: a lit face alone covers more than 2 % of a photo
_DIM = 120.0  # of 255


def hints_of(pixels: Pixels, person: Person) -> list[Hint]:
    """The hints, in the order in which she reads them."""
    said = {
        Hint.DIM: _is_dim(pixels),
        Hint.CROP_ENDS_AT_WAIST: WAIST_TL <= person.shown < LEGS_FROM_TL,
        Hint.CROP_ENDS_ABOVE_WAIST: person.shown < WAIST_TL,
        Hint.ARMS_BEFORE_BODY: arms_crossed(person.body),
    }
    return [hint for hint, so in said.items() if so]


def _is_dim(pixels: Pixels) -> bool:
    """Whether even the brightest part is dark: a black wall alone does not mean dim light."""
    return float(np.percentile(pixels[::4, ::4].max(axis=2), _BRIGHTEST)) < _DIM
