"""Sleeves and trouser legs as pairs of edge curves, sampled from the garment's outline.

Image-left side only; the caller mirrors the mask for the other. Points are x, y in px.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_worker.vision.planes import Floats, Mask, Numbers, components, floats, polygon

SAMPLES = 26
TracedLimb = tuple[Mask, Floats]  # its px, and its outer and inner edge (2, SAMPLES, 2)
# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_SPREAD = 0.55  # a cuff's corners are searched at this tangent from the sleeve's axis
_LEAST_SHARE = 0.01  # of the garment


def sleeve_mask(mask: Mask, shoulder: Floats, pit: Floats, edge: Floats) -> Mask:
    """The px outside the line shoulder -> arm pit -> straight down that are not in the torso.

    edge: (h,) x of the torso's outline per row, NaN above the arm pit. Of several connected parts
    it is the one with most px above the arm pit: the largest may be a skirt's flare.
    """
    height = mask.shape[0]
    outside = polygon(
        mask.shape,
        np.array([[-1, -1], [shoulder[0], -1], shoulder, pit, [pit[0], height], [-1, height]]),
    )
    columns = np.arange(mask.shape[1])[None, :]
    outside &= columns < np.where(np.isfinite(edge), edge - 1, mask.shape[1])[:, None]
    labels, _ = components(mask & outside)
    rows = labels[: int(pit[1]) + 1]
    counts = np.bincount(rows.ravel())
    if len(counts) < 2 or counts[1:].max() < _LEAST_SHARE * mask.sum():
        return np.zeros_like(mask)
    return np.asarray(labels == 1 + int(np.argmax(counts[1:])))


def edge_curves(sleeve: Mask, shoulder: Floats, pit: Floats) -> Floats:
    """(2, SAMPLES, 2): the outer edge from the shoulder, the inner edge from the arm pit."""
    contour = _contour(sleeve)
    start = floats((shoulder + pit) / 2)
    direction = _direction(sleeve, shoulder, start)
    normal = floats([direction[1], -direction[0]])  # to the outer side at the image's left
    if float(normal @ (shoulder - pit)) < 0:
        normal = -normal
    outer = _corner(contour, start, direction + _SPREAD * normal)
    inner = _corner(contour, start, direction - _SPREAD * normal)
    first, last = _nearest(contour, shoulder), _nearest(contour, pit)
    return floats(
        [_path(contour, first, outer, avoid=inner), _path(contour, last, inner, avoid=outer)]
    )


def flip(limb: TracedLimb, width: int) -> TracedLimb:
    """A limb traced in the mirrored mask, back in the picture's own orientation."""
    edges = limb[1].copy()
    edges[..., 0] = width - 1 - edges[..., 0]
    return limb[0][:, ::-1], edges


def _contour(mask: Mask) -> Floats:
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    longest = max(found, key=len)
    return floats(np.asarray(longest)[:, 0])


def _direction(sleeve: Mask, shoulder: Floats, start: Floats) -> Floats:
    """The sleeve's axis: a unit vector to the centre of its quarter farthest from the shoulder."""
    ys, xs = np.nonzero(sleeve)
    away = np.hypot(xs - shoulder[0], ys - shoulder[1])
    far = away >= np.percentile(away, 75)
    vector = np.array([xs[far].mean(), ys[far].mean()]) - start
    return floats(vector / max(float(np.hypot(*vector)), 1e-6))


def _corner(contour: Floats, start: Floats, direction: Numbers) -> int:
    return int(np.argmax((contour - start) @ direction))


def _nearest(contour: Floats, point: Floats) -> int:
    return int(np.argmin(np.hypot(*(contour - point).T)))


def _path(contour: Floats, first: int, last: int, avoid: int) -> NDArray[np.float64]:
    """Evenly spaced samples along the contour between two points, on the side without the third."""
    count = len(contour)
    forward = (last - first) % count
    if (avoid - first) % count < forward:
        indices = (first - np.arange((first - last) % count + 1)) % count
    else:
        indices = (first + np.arange(forward + 1)) % count
    return resample(contour[indices], SAMPLES)


def resample(points: Numbers, count: int) -> NDArray[np.float64]:
    """`count` points evenly spaced by arc length along a polyline (n, 2)."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    length = np.concatenate([[0], np.cumsum(steps)])
    at = np.linspace(0, length[-1], count)
    return np.stack([np.interp(at, length, points[:, axis]) for axis in (0, 1)], axis=1)
