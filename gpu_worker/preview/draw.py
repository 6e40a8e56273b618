"""Draws the garment onto the photo.

Knows arrays; no order, no engine.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_worker.contract import Category
from gpu_worker.cutout import Garment
from gpu_worker.engine import Pixels
from gpu_worker.planes import Floats, floats, resize
from gpu_worker.pose import Person

_TOP_V = {Category.UPPER: -0.18, Category.LOWER: 0.85, Category.OVERALL: -0.18}
_WIDTH_SW = {Category.UPPER: 1.35, Category.LOWER: 1.1, Category.OVERALL: 1.25}


def draw(photo: Pixels, person: Person, picture: Pixels, garment: Garment) -> Pixels:
    """The garment, placed by one similarity, under head and hands. uint8 of the photo's shape."""
    matrix = _placement(person, garment)
    size = (photo.shape[1], photo.shape[0])
    alpha = resize(garment.alpha, picture.shape[1], picture.shape[0])
    alpha = floats(cv2.warpAffine(alpha, matrix, size, flags=cv2.INTER_AREA))
    worn = floats(cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_AREA))
    alpha *= 1 - _in_front(person, photo)
    mixed = photo + (worn - photo) * alpha[..., None]
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def _placement(person: Person, garment: Garment) -> NDArray[np.float64]:
    """Garment's picture px to photo px."""
    columns = np.nonzero(garment.alpha.max(axis=0) > 0.5)[0] / garment.scale
    rows = np.nonzero(garment.alpha.max(axis=1) > 0.5)[0] / garment.scale
    body = person.body
    middle = (garment.alpha > 0.5).sum(axis=1).max() / garment.scale
    scale = _WIDTH_SW[garment.category] * body.sw / person.frame.scale / middle
    target = body.at(0, _TOP_V[garment.category]) / person.frame.scale
    target += (person.frame.x, person.frame.y)
    centre = (columns[0] + columns[-1]) / 2
    return np.array(
        [[scale, 0, target[0] - scale * centre], [0, scale, target[1] - scale * rows[0]]]
    )


def _in_front(person: Person, photo: Pixels) -> Floats:
    """1 where head or hair hide the garment, at the photo's size."""
    _, v = person.body.uv(person.person.shape)
    head = person.person & (v < -0.2)
    plane = np.zeros(photo.shape[:2], dtype=np.float32)
    frame = person.frame
    box = (slice(frame.y, frame.y + frame.high), slice(frame.x, frame.x + frame.wide))
    plane[box] = frame.to_photo(head.astype(np.float32))
    return plane
