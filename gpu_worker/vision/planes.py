"""Image operations on planes (arrays (h, w) or (h, w, c) of one picture): OpenCV with types.

Shared by pose, cutout and preview. Knows arrays only: no people, no garments, no files.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpu_worker.engine import Array

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Numbers = NDArray[np.floating]  # for parameters; of results only `smoothstep`'s

_SMALLEST_LEVEL_PX = 4
_DISC_PX = 5.0  # with a larger disc, a distance transform is faster


def floats(plane: ArrayLike) -> Floats:
    """The same values as contiguous float32."""
    return np.asarray(plane, dtype=np.float32, order="C")


def blur(plane: Array, sigma: float) -> Floats:
    """Gaussian blur, sigma in px. float32 of the plane's shape."""
    if sigma < 0.2:
        return floats(plane)
    return floats(cv2.GaussianBlur(floats(plane), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def resize(plane: Array, width: int, height: int) -> Floats:
    """Resamples to (height, width): by area when shrinking, linearly when growing."""
    shrinking = width < plane.shape[1] or height < plane.shape[0]
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return floats(cv2.resize(floats(plane), (width, height), interpolation=how))


def resize_bytes(pixels: Bytes, width: int, height: int) -> Bytes:
    """`resize` for uint8 pictures, rounding once."""
    shrinking = width < pixels.shape[1] or height < pixels.shape[0]
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), dtype=np.uint8)


def _disc(radius: float) -> Bytes:
    reach = max(1, int(np.ceil(radius)))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(x * x + y * y <= radius * radius + 0.5, dtype=np.uint8)


def grow(mask: Mask, radius: float) -> Mask:
    """Dilation by a disc of `radius` px."""
    if radius < 0.5:
        return mask
    if radius > _DISC_PX:
        return ~_farther(~mask, radius)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), _disc(radius)), dtype=bool)


def shrink(mask: Mask, radius: float) -> Mask:
    """Erosion by a disc of `radius` px; beyond the picture's edge everything counts as inside."""
    if radius < 0.5:
        return mask
    if radius > _DISC_PX:
        return _farther(mask, radius)
    return np.asarray(cv2.erode(mask.astype(np.uint8), _disc(radius)), dtype=bool)


def _farther(mask: Mask, radius: float) -> Mask:
    """Erosion by a distance transform: px inside that are farther than `radius` from outside."""
    if mask.all():
        return mask
    return np.asarray(distance_inside(mask) > radius + 0.25)


def close(mask: Mask, radius: float) -> Mask:
    """Morphological closing: fills gaps narrower than 2 x `radius` px."""
    return shrink(grow(mask, radius), radius)


def open_(mask: Mask, radius: float) -> Mask:
    """Morphological opening: removes what is narrower than 2 x `radius` px."""
    return grow(shrink(mask, radius), radius)


def distance_inside(mask: Mask) -> Floats:
    """Distance transform: from each px inside to the nearest px outside, in px; 0 outside."""
    return floats(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5))


def components(mask: Mask) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """4-connected components: labels (h, w) from 1, and areas in px (index 0: the outside)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=4
    )
    areas = np.asarray(stats, dtype=np.int32)[:count, cv2.CC_STAT_AREA]
    return np.asarray(labels, dtype=np.int32), areas


def largest(mask: Mask) -> Mask:
    """The largest connected component."""
    labels, areas = components(mask)
    if len(areas) < 2:
        return mask
    return np.asarray(labels == 1 + int(np.argmax(areas[1:])))


def connected_to(mask: Mask, seeds: Mask) -> Mask:
    """The connected components of `mask` that touch `seeds`."""
    labels, areas = components(mask)
    keep = np.zeros(len(areas), dtype=bool)
    keep[np.unique(labels[seeds & mask])] = True
    keep[0] = False
    return keep[labels]


def without_specks(mask: Mask, area: float) -> Mask:
    """Removes connected components smaller than `area` px."""
    labels, areas = components(mask)
    keep = areas >= area
    keep[0] = False
    return keep[labels]


def without_holes(mask: Mask, area: float) -> Mask:
    """Fills enclosed holes smaller than `area` px."""
    # Padded, so that gaps at the picture's edge belong to the outside.
    return ~without_specks(np.pad(~mask, 1, constant_values=True), area)[1:-1, 1:-1]


def lab(pixels: Bytes) -> Floats:
    """sRGB uint8 (h, w, 3) to CIE Lab float32: L 0..100, a and b about -100..100."""
    return floats(cv2.cvtColor(floats(pixels) * np.float32(1 / 255), cv2.COLOR_RGB2LAB))


def remap(plane: Array, xs: Floats, ys: Floats) -> Floats:
    """Samples the plane at (xs, ys), linearly; px centres at integers; 0 outside."""
    return floats(
        cv2.remap(floats(plane), xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    )


def smoothstep(low: float, high: float, x: ArrayLike) -> Numbers:
    """Cubic smoothstep: 0 at `low`, 1 at `high`, smooth between; `low` may be above `high`."""
    t: Numbers = np.clip((np.asarray(x, dtype=np.float32) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def polygon(shape: tuple[int, ...], points: Array) -> Mask:
    """The px inside a polygon, points (n, 2) as x, y in px."""
    plane = np.zeros(shape[:2], dtype=np.uint8)
    cv2.fillPoly(plane, [np.round(np.asarray(points)).astype(np.int32)], 1)
    return plane.astype(bool)


def coordinates(shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Coordinates of the px, for broadcasting: x (1, w) and y (h, 1)."""
    return (
        np.arange(shape[1], dtype=np.float32)[None, :],
        np.arange(shape[0], dtype=np.float32)[:, None],
    )


def to_point(shape: tuple[int, ...], point: Numbers) -> Floats:
    """Distance in px of each px to a point."""
    xs, ys = coordinates(shape)
    return floats(np.hypot(xs - np.float32(point[0]), ys - np.float32(point[1])))


def length(vectors: Numbers, weights: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Floats:
    """Lengths (h, w) of vectors (h, w, 3), each component weighted."""
    total = (vectors[..., 0] * weights[0]) ** 2
    for i in (1, 2):
        total = total + (vectors[..., i] * weights[i]) ** 2
    return floats(np.sqrt(total))


def to_segment(
    shape: tuple[int, ...], a: Numbers, b: Numbers, reach: float
) -> tuple[Floats, Floats]:
    """Distance in px of each px to the segment a-b, and the position (0..1) of the nearest point on
    it.

    Computed only within about `reach` px of the segment; elsewhere the distance is infinite.
    """
    distance = np.full(shape[:2], np.inf, dtype=np.float32)
    along = np.zeros(shape[:2], dtype=np.float32)
    x0, y0 = (max(0, int(min(a[i], b[i]) - reach)) for i in (0, 1))
    x1, y1 = (max(0, int(max(a[i], b[i]) + reach) + 2) for i in (0, 1))
    window = (slice(y0, min(y1, shape[0])), slice(x0, min(x1, shape[1])))
    xs, ys = coordinates(shape)
    px, py = xs[:, window[1]] - np.float32(a[0]), ys[window[0]] - np.float32(a[1])
    dx, dy = np.float32(b[0] - a[0]), np.float32(b[1] - a[1])
    foot = np.clip((px * dx + py * dy) / max(float(dx * dx + dy * dy), 1e-6), 0, 1)
    along[window] = foot
    distance[window] = np.hypot(px - foot * dx, py - foot * dy)
    return distance, along


def membrane(values: Array, weight: Array) -> Floats:
    """Pull-push interpolation: values (h, w, c) where weight (h, w) is 1, continued smoothly where
    it is 0.

    A premultiplied image pyramid, down to a level of about 4 px; on the way up each level's own
    value replaces the coarser one as far as its weight reaches.
    """
    premultiplied = floats(values) * floats(weight)[..., None]
    level = np.dstack([premultiplied, floats(weight)])
    return floats(_pull_push(level)[..., :-1])


def coarse_membrane(values: Array, known: Mask) -> Floats:
    """`membrane` computed at half size, which is enough where the result is smooth or far from the
    known px. Known px keep their own values."""
    height, width = known.shape
    half = (max(4, width // 2), max(4, height // 2))
    weight = resize(known, *half) > 0.99
    small = membrane(resize(values, *half), weight)
    return np.where(known[..., None], floats(values), resize(small, width, height))


def _pull_push(level: Floats) -> Floats:
    """One level of the pyramid: premultiplied values with their weight in the last channel."""
    height, width = level.shape[:2]
    value = level / np.maximum(level[..., -1:], 1e-6)
    if min(height, width) <= _SMALLEST_LEVEL_PX:
        total = np.maximum(level[..., -1].sum(), 1e-6)
        mean = level.sum(axis=(0, 1)) / total
        return floats(np.where(level[..., -1:] > 1e-3, value, mean))
    coarse = _pull_push(floats(cv2.pyrDown(level)))
    raised = floats(cv2.pyrUp(coarse, dstsize=(width, height)))
    own = np.clip(level[..., -1:] * 4, 0, 1)
    return floats(raised + (value - raised) * own)
