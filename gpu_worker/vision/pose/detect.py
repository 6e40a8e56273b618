"""Person detection: MediaPipe's pose detector on the whole picture.

Knows pixels and boxes; not what the person is needed for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from gpu_worker.engine import Pixels
from gpu_worker.vision.planes import Floats, floats
from gpu_worker.vision.pose import models

_SIDE_PX = 224  # what the model takes
_ROI_GROWTH = 1.25  # as in MediaPipe: the circle around a person is enlarged a little
MIN_SCORE = 0.75  # people score >= 0.93, a sweatshirt with spread sleeves 0.64, else <= 0.3
BESIDE_SCORE = 0.55  # of a second person: two people close together both score lower
_SAME_PERSON_RADII = 0.12  # readings of one person lie within 0.06, two people beyond 0.2


@dataclass(frozen=True, slots=True)
class Found:
    """One person: mid hip and the radius of the circle around the body, px; `roll` in radians."""

    score: float
    x: float
    y: float
    radius: float
    roll: float


@cache
def _anchors() -> Floats:
    """Centres of the detector's anchors (2254, 2) in 0..1: two per cell at stride 8 and 16, six at
    stride 32."""
    centres = []
    for stride, per_cell in ((8, 2), (16, 2), (32, 6)):
        cells = _SIDE_PX // stride
        y, x = np.mgrid[0:cells, 0:cells]
        grid = np.stack([(x + 0.5) / cells, (y + 0.5) / cells], -1).reshape(-1, 2)
        centres.append(np.repeat(grid, per_cell, axis=0))
    return floats(np.concatenate(centres))


def _letterbox(pixels: Pixels) -> tuple[Floats, float, float, float]:
    """The picture in a 224 px square, and (scale, left, top): photo px = square px/scale - left."""
    height, width = pixels.shape[:2]
    scale = _SIDE_PX / max(height, width)
    left, top = (_SIDE_PX / scale - width) / 2, (_SIDE_PX / scale - height) / 2
    matrix = np.array([[scale, 0, left * scale], [0, scale, top * scale]])
    small = cv2.warpAffine(
        _halved(pixels, scale), matrix @ _undo_halving(scale), (_SIDE_PX, _SIDE_PX)
    )
    return floats(small) / 127.5 - 1, scale, left, top


def _steps(scale: float) -> int:
    return max(0, int(np.floor(np.log2(1 / scale)))) if scale < 1 else 0


def _halved(pixels: Pixels, scale: float) -> Pixels:
    """Shrinks by halves first, so that the final warp does not alias."""
    factor = 2 ** _steps(scale)
    size = (max(1, pixels.shape[1] // factor), max(1, pixels.shape[0] // factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _undo_halving(scale: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    factor = float(2 ** _steps(scale))
    return np.array([[factor, 0, 0], [0, factor, 0], [0, 0, 1.0]])


def find_people(pixels: Pixels) -> list[Found]:
    """People in a uint8 (h, w, 3) picture, best score first."""
    square, scale, left, top = _letterbox(pixels)
    boxes, raw = models.detect(square)
    scores = 1 / (1 + np.exp(-np.clip(raw, -50, 50)))  # sigmoid, clipped against overflow
    points = boxes[:, 4:].reshape(-1, 4, 2) / _SIDE_PX + _anchors()[:, None]
    people: list[Found] = []
    for index in np.argsort(-scores, kind="stable"):
        if scores[index] < (BESIDE_SCORE if people else MIN_SCORE):
            break
        found = _found(float(scores[index]), points[index] * (_SIDE_PX / scale), left, top)
        if not any(_same(found, other) for other in people):
            people.append(found)
    return people


def _found(score: float, points: Floats, left: float, top: float) -> Found:
    (x, y), (edge_x, edge_y) = points[0], points[1]
    radius = float(np.hypot(edge_x - x, edge_y - y)) * _ROI_GROWTH
    roll = float(np.arctan2(edge_x - x, y - edge_y))
    return Found(score, float(x) - left, float(y) - top, radius, roll)


def _same(a: Found, b: Found) -> bool:
    """Non-maximum suppression: whether two readings are of one person, by the distance of hips."""
    return float(np.hypot(a.x - b.x, a.y - b.y)) < _SAME_PERSON_RADII * min(a.radius, b.radius)
