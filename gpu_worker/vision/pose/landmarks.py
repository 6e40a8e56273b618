"""Pose estimation: one person's 33 landmarks and a coarse body mask (MediaPipe).

Knows pixels and one `Found`. `plausible` decides whether the reading can be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_worker.engine import Pixels
from gpu_worker.vision.planes import Floats, floats
from gpu_worker.vision.pose import models
from gpu_worker.vision.pose.detect import Found

_SIDE_PX = 256  # what the model takes
_REFINEMENTS = 2
_ROI_GROWTH = 1.25
# In a mirrored picture landmark i is landmark _MIRROR[i].
_MIRROR = [
    0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 18, 17, 20, 19, 22, 21, 24, 23,
    26, 25, 28, 27, 30, 29, 32, 31, 33, 34, 35, 36, 37, 38,
]  # fmt: skip
_CENTRE, _RIM = 33, 34  # alignment points: the circle around the body


@dataclass(frozen=True, slots=True)
class Landmarks:
    """One reading, in px of the photo.

    points: (33, 2) x, y; visibility: (33,) 0..1; mask: (256, 256) 0..1 of the square whose px map
    to the photo's by `to_photo` (2, 3).
    """

    points: Floats
    visibility: Floats
    mask: Floats
    to_photo: NDArray[np.float64]


def read_landmarks(pixels: Pixels, found: Found) -> Landmarks:
    """Refines the detector's circle, then averages the readings of the picture and its mirror
    image."""
    matrix = _square_to_photo(found.x, found.y, found.radius, found.roll)
    for _ in range(_REFINEMENTS):  # each reading's alignment points give a better square
        points, _ = _read(_crop(pixels, matrix))
        matrix = _next_square(_to_photo(points[:, :2], matrix))
    points, mask = _read_both_ways(_crop(pixels, matrix))
    visibility = floats(1 / (1 + np.exp(-np.clip(points[:33, 3], -50, 50))))
    return Landmarks(_to_photo(points[:33, :2], matrix), visibility, mask, matrix)


def _square_to_photo(x: float, y: float, radius: float, roll: float) -> NDArray[np.float64]:
    scale = 2 * radius / _SIDE_PX
    c, s = np.cos(roll) * scale, np.sin(roll) * scale
    half = _SIDE_PX / 2
    return np.array([[c, -s, x - c * half + s * half], [s, c, y - s * half - c * half]])


def _next_square(points: Floats) -> NDArray[np.float64]:
    centre, rim = points[_CENTRE], points[_RIM]
    dx, dy = float(rim[0] - centre[0]), float(centre[1] - rim[1])
    roll = float(np.clip(np.arctan2(dx, dy), -0.8, 0.8))
    radius = float(np.hypot(dx, dy)) * _ROI_GROWTH
    return _square_to_photo(float(centre[0]), float(centre[1]), radius, roll)


def _crop(pixels: Pixels, matrix: NDArray[np.float64]) -> Floats:
    """The square as float32 (256, 256, 3) in 0..1; shrunk by area first, against aliasing."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    factor = max(1, int(scale))
    size = (max(1, pixels.shape[1] // factor), max(1, pixels.shape[0] // factor))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    shrunk = np.diag([size[0] / pixels.shape[1], size[1] / pixels.shape[0]]) @ matrix
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return floats(cv2.warpAffine(small, shrunk, (_SIDE_PX, _SIDE_PX), flags=flags)) / np.float32(
        255
    )


def _read(square: Floats) -> tuple[Floats, Floats]:
    points, logits = models.read_landmarks(square)
    return points, floats(1 / (1 + np.exp(-np.clip(logits, -50, 50))))


def _read_both_ways(square: Floats) -> tuple[Floats, Floats]:
    """Test-time augmentation: the mean over picture and mirror image. It is steadier, and a
    mirrored photo gives exactly mirrored landmarks."""
    points, mask = _read(square)
    mirrored, mirrored_mask = _read(floats(square[:, ::-1]))
    mirrored = mirrored[_MIRROR]
    mirrored[:, 0] = _SIDE_PX - mirrored[:, 0]
    return floats((points + mirrored) / 2), floats((mask + mirrored_mask[:, ::-1]) / 2)


def _to_photo(points: Floats, matrix: NDArray[np.float64]) -> Floats:
    return floats(points @ matrix[:, :2].T + matrix[:, 2])
