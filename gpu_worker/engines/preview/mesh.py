"""Mesh warping: turns corresponding grids into an inverse map, one affine map per triangle.

Knows points; no body, no garment.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_worker.vision.planes import Floats

_SHIFT = 4  # fractional bits of the corners handed to the polygon filler


def inverse_map(
    source: Floats, target: Floats, shape: tuple[int, int]
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Where each px of the canvas comes from.

    source, target: (rows, columns, 2) x, y of the same grid in garment and canvas; shape: (h, w)
    of the canvas. Returns planes x, y (garment px) and where the grid lies.
    """
    corners_s, corners_t = _triangles(source), _triangles(target)
    index = _fill(corners_t, shape)
    x, y = np.full(shape, -1, dtype=np.float32), np.full(shape, -1, dtype=np.float32)
    rows, columns = np.nonzero(index >= 0)
    which = index[rows, columns]
    points = np.stack([columns, rows, np.ones_like(rows)], axis=1).astype(np.float64)
    affine = _affines(corners_s, corners_t)[which]
    x[rows, columns] = (points * affine[:, 0]).sum(axis=1)
    y[rows, columns] = (points * affine[:, 1]).sum(axis=1)
    return x, y, np.asarray(index >= 0)


def _triangles(grid: Floats) -> NDArray[np.float64]:
    """(n, 3, 2): two triangles per cell, first rows first."""
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]
    cells = np.stack([np.stack([a, b, c], axis=2), np.stack([b, d, c], axis=2)], axis=2)
    return cells.reshape(-1, 3, 2).astype(np.float64)


def _fill(corners: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.int32]:
    """The last triangle that covers each px; -1 outside."""
    index = np.full(shape, -1, dtype=np.int32)
    fixed = np.round(corners * (1 << _SHIFT)).astype(np.int32)
    for i, triangle in enumerate(fixed):
        cv2.fillConvexPoly(index, triangle, i, lineType=cv2.LINE_8, shift=_SHIFT)
    return index


def _affines(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2, 3): for each triangle the affine map from target to source."""
    ones = np.ones((*target.shape[:2], 1))
    corners = np.concatenate([target, ones], axis=2)
    # A degenerate triangle has no inverse and covers hardly a px: any map will do.
    flat = np.abs(np.linalg.det(corners)) < 1e-3
    corners[flat] = np.eye(3)
    return np.linalg.solve(corners, source).transpose(0, 2, 1)


def folded(target: Floats) -> float:
    """The share of the grid's triangles that are turned over (of the other orientation)."""
    corners = _triangles(target)
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    turned = np.minimum((area > 0).mean(), (area < 0).mean())
    return float(turned)
