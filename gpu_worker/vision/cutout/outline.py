"""Finds the key points of a top in its outline: arm pits, neck and shoulder points, hem.

A run is a sequence of px of the mask in one row. Functions of a half look at the image-left one
only; for the right half the caller mirrors the mask.
All points are x, y in px of the garment's canvas. Knows a mask; no colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from gpu_worker.vision.planes import Floats, Mask, floats

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_JUMP_GW = 0.035  # of the width: a run that grows by this has reached a sleeve
_JUMP_GH = 0.025  # of the height
_JOIN_LOWEST_GH = 0.97  # of the height: hanging sleeves leave the torso at most so near to its hem
_HEM_CORNERS_GH = 0.85  # of the height: below it a jump may be the corner of a slanting hem
_STAYS_OUT_GH = 0.2  # of the height: over so many rows above, a sleeve stays outside; a flounce not
_ARMHOLE_TW = 0.48  # of the torso's width: assumed depth of an arm pit that a sleeve hides
_NECK_REACH_TW = 0.40  # of the torso's width, from the axis
_NECK_LEAST_TW = 0.13
_SLIDE_TW = 0.24
_STEEP_PX = 1.0


@dataclass(frozen=True, slots=True)
class Half:
    """The image-left half of a top.

    edge: (h,) x of the torso's outline per row, NaN outside it; arm pit, shoulder, neck: (2,);
    sleeved: whether a sleeve leaves between shoulder and arm pit.
    """

    edge: Floats
    pit: Floats
    shoulder: Floats
    neck: Floats
    sleeved: bool


def extent(mask: Mask) -> tuple[int, int, int, int]:
    """The mask's bounding box x0, y0, x1, y1, both ends included."""
    columns, rows = np.nonzero(mask.any(axis=0))[0], np.nonzero(mask.any(axis=1))[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def axis_of(mask: Mask) -> float:
    """x of the garment's middle: the median of its torso's lower rows, else of its bounding box."""
    x0, y0, x1, _ = extent(mask)
    middle = (x0 + x1) / 2
    hem = _hem(mask, middle)
    rows = range(round(hem - 0.30 * (hem - y0)), round(hem - 0.08 * (hem - y0)))
    mids = [(a + b) / 2 for a, b in (run(mask[y], middle) for y in rows) if b > a]
    if not mids:
        return middle
    return float(np.median(mids))


def _hem(mask: Mask, x: float) -> int:
    rows = np.nonzero(mask[:, round(x)])[0]
    return int(rows[-1]) if len(rows) else extent(mask)[3]


def hem_row(mask: Mask, axis: float) -> int:
    """The lowest row of the torso: at the axis, or within a tenth of the width beside it."""
    x0, _, x1, _ = extent(mask)
    reach = 0.1 * (x1 - x0)
    return max(_hem(mask, x) for x in (axis - reach, axis, axis + reach))


def run(row: NDArray[np.bool_], x: float) -> tuple[int, int]:
    """First and last px of the run at x, or of the nearest run; (0, -1) in an empty row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
    if not len(edges):
        return 0, -1
    starts, ends = edges[::2], edges[1::2] - 1
    outside = np.maximum(np.maximum(starts - x, x - ends), 0)
    nearest = int(np.argmin(outside))
    return int(starts[nearest]), int(ends[nearest])


def left_half(mask: Mask, axis: float, hem: int) -> Half:
    """Edge, arm pit, shoulder and neck at the image-left side."""
    _, top, _, _ = extent(mask)
    edge = _torso_edge(mask, axis, top, hem)
    join = _sleeve_join(edge, mask, top, hem)
    contour = _top_contour(mask)
    if join is not None:
        width = 2 * (axis - float(join[0]))
        neck = _neck(contour, axis, width)
        shoulder = _shoulder(contour, float(join[0]) + 0.06 * width, neck, width)
        deepest = float(shoulder[1]) + _ARMHOLE_TW * width
        pit = floats([join[0], min(float(join[1]), deepest)])
        return Half(_edge_below(edge, join), pit, shoulder, neck, True)
    width = 2 * (axis - float(np.nanmin(edge[top:hem])))
    neck = _neck(contour, axis, width)
    pit = _armhole_pit(mask, neck, hem, top)
    shoulder = _strap_end(contour, neck, pit, width)
    return Half(_edge_below(edge, pit), pit, shoulder, neck, False)


def _torso_edge(mask: Mask, axis: float, top: int, hem: int) -> Floats:
    """x of the left end of the run at the axis, per row."""
    edge = np.full(mask.shape[0], np.nan, dtype=np.float32)
    for y in range(hem, top - 1, -1):
        first, last = run(mask[y], axis)
        if first <= axis <= last:
            edge[y] = first
        elif np.isfinite(edge[y + 1 : y + 2]).any():
            break  # the neckline
    return edge


def _sleeve_join(edge: Floats, mask: Mask, top: int, hem: int) -> Floats | None:
    """The point at which a sleeve leaves the torso: above it the run is wider; None without one."""
    x0, _, x1, _ = extent(mask)
    step = max(2, round(_JUMP_GH * (hem - top)))
    lowest = round(top + _JOIN_LOWEST_GH * (hem - top))
    for y in range(lowest, top + step, -1):
        grows = edge[y] - edge[y - step] > _JUMP_GW * (x1 - x0)
        if grows and _stays_out(edge, y, top, hem):
            corner = _corner(edge, y, step)
            if corner[1] < top + _HEM_CORNERS_GH * (hem - top) or _hangs_beside(mask, corner, step):
                return corner
    return None


def _hangs_beside(mask: Mask, corner: Floats, step: int) -> bool:
    """Whether there is garment beside and below this point: then it is a cuff, no hem's corner."""
    x, y = int(corner[0]), int(corner[1])
    return bool(mask[y + step : y + 2 * step, : max(1, x - 2)].any())


def _corner(edge: Floats, y: int, step: int) -> Floats:
    """The last row before the outline turns outwards."""
    while step > 1 and edge[y] - edge[y - 1] < 1:
        y, step = y - 1, step - 1
    return floats([edge[y], y])


def _stays_out(edge: Floats, y: int, top: int, hem: int) -> bool:
    above = edge[max(top, round(y - _STAYS_OUT_GH * (hem - top))) : y - 2]
    known = above[np.isfinite(above)]
    return bool(len(known)) and float(np.median(known)) < float(edge[y]) - 2


def _edge_below(edge: Floats, pit: Floats) -> Floats:
    kept = edge.copy()
    kept[: int(pit[1])] = np.nan
    return kept


def _top_contour(mask: Mask) -> Floats:
    """First row of the mask in each column; the height where there is none."""
    return floats(np.where(mask.any(axis=0), np.argmax(mask, axis=0), mask.shape[0]))


def _neck(contour: Floats, axis: float, width: float) -> Floats:
    """The highest point beside the axis; a collar's is moved out to where a neck's side is."""
    first = max(0, round(axis - _NECK_REACH_TW * width))
    columns = np.arange(first, max(first + 1, round(axis)))
    x = float(columns[int(np.argmin(contour[columns]))])
    x = min(x, axis - _NECK_LEAST_TW * width)
    return floats([x, contour[round(x)]])


def _shoulder(contour: Floats, start: float, neck: Floats, width: float) -> Floats:
    """The shoulder point: outwards along the top contour while it falls less than 45 degrees."""
    smooth = gaussian_filter1d(contour, max(1.0, 0.008 * width))
    x = min(start, float(neck[0]))
    last = max(1, round(x - _SLIDE_TW * width))
    position = round(x)
    while position > last and smooth[position - 1] - smooth[position] < _STEEP_PX:
        position -= 1
    return floats([position, contour[position]])


def _strap_end(contour: Floats, neck: Floats, pit: Floats, width: float) -> Floats:
    """The shoulder of a vest: the top contour's point farthest outside the line neck -> arm pit."""
    columns = np.arange(max(0, round(float(pit[0]) - 0.1 * width)), round(float(neck[0])))
    along = pit - neck
    normal = floats([-along[1], along[0]]) / max(float(np.hypot(*along)), 1.0)
    rows = contour[columns]
    outside = (columns - neck[0]) * normal[0] + (rows - neck[1]) * normal[1]
    outside[rows > neck[1] + 0.45 * (pit[1] - neck[1])] = -1
    if not len(columns) or float(outside.max()) < 0.03 * width:
        return neck
    best = int(np.argmax(outside))
    return floats([columns[best], rows[best]])


def _armhole_pit(mask: Mask, neck: Floats, hem: int, top: int) -> Floats:
    """The arm pit without a sleeve: where the outline stops widening below the shoulder."""
    x = np.argmax(mask, axis=1).astype(np.float32)
    smooth = gaussian_filter1d(x, max(1.0, 0.012 * (hem - top)))
    first = round(float(neck[1]) + 0.06 * (hem - top))
    last = round(top + 0.55 * (hem - top))
    reach = max(2, round(0.03 * (hem - top)))
    for y in range(last, first, -1):
        if smooth[y] - smooth[y + reach] > 0.35 * reach:
            return floats([x[y + reach], y + reach])
    y = round(top + 0.28 * (hem - top))
    return floats([x[y], y])
