"""Puts a garment's parts together: torso widths, limbs, neckline, for both sides.

Knows the cut-out on the garment's canvas; no body.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from gpu_worker.contract import Category, Reason
from gpu_worker.cutout.ground import Cut
from gpu_worker.cutout.neckline import find_neckline
from gpu_worker.cutout.outline import Half, axis_of, extent, hem_row, left_half, run
from gpu_worker.cutout.sleeves import SAMPLES, edge_curves, sleeve_mask
from gpu_worker.engine import Refusal
from gpu_worker.planes import Bytes, Floats, Mask, floats, polygon

_ROUND_HEM = 0.045  # of the height: below it round hems and corners narrow the rows
_GAP_HIGH = 0.10
_LEGS_HIGH = 0.30
_GAP_BAND = 0.12


@dataclass(frozen=True, slots=True)
class Shape:
    """A garment's parts. Index [0] is the image's left, [1] its right; x, y in canvas px.

    axis: x of the middle; top, hem: rows; half: (2, h) from the axis to the outline per row, with
    limbs left out; pit, shoulder, neck: (2, 2); limbed: (2,) whether there is a sleeve or leg;
    edges: (2, 2, SAMPLES, 2) outer and inner edge of each limb; limbs: uint8 (h, w), 1 and 2
    where they are; back: bool (h, w), the inside of the back; neck_depth: px.
    Of trousers, `pit` is the crotch and `shoulder` the outer side at its height.
    """

    axis: float
    top: float
    hem: float
    half: Floats
    pit: Floats
    shoulder: Floats
    neck: Floats
    limbed: tuple[bool, bool]
    edges: Floats
    limbs: Bytes
    back: Mask
    neck_depth: float


def describe(found: Cut, category: Category) -> Shape:
    """The parts of a cut-out garment.

    Raises:
        Refusal: category_not_supported, for a jumpsuit: drawn as a dress its legs would hang
            beside hers.
    """
    if category is Category.LOWER:
        return _lower(found.mask)
    if category is Category.OVERALL and _has_legs(found.mask):
        raise Refusal(Reason.CATEGORY_NOT_SUPPORTED, "an overall with legs")
    return _top(found)


def _top(found: Cut) -> Shape:
    mask = found.mask
    axis = axis_of(mask)
    hem = hem_row(mask, axis)
    halves = _both_halves(mask, axis, hem)
    width = float(sum(abs(half.pit[0] - axis) for half in halves))
    limbs = [_limb(mask, half, side) for side, half in enumerate(halves)]
    necks = floats([half.neck for half in halves])
    neckline = find_neckline(found.pixels, mask, necks, width)
    return Shape(
        axis=axis,
        top=float(extent(mask)[1]),
        hem=float(hem),
        half=floats([_torso_half(half, axis, hem) for half in halves]),
        pit=floats([half.pit for half in halves]),
        shoulder=floats([half.shoulder for half in halves]),
        neck=necks,
        limbed=(limbs[0] is not None, limbs[1] is not None),
        edges=_edges(limbs),
        limbs=_limb_plane(mask, limbs),
        back=neckline.above(mask.shape) & mask,
        neck_depth=neckline.depth,
    )


def _both_halves(mask: Mask, axis: float, hem: int) -> list[Half]:
    """The right half is the left half of the mirrored mask."""
    width = mask.shape[1]
    left = left_half(mask, axis, hem)
    right = _mirrored(left_half(mask[:, ::-1], width - 1 - axis, hem), width)
    if left.sleeved != right.sleeved:
        left, right = _agree(left, right, axis)
    if not left.sleeved:
        row = round(float(left.pit[1] + right.pit[1]) / 2)
        left, right = _with_pit(left, mask, row, 0), _with_pit(right, mask, row, 1)
    return [left, right]


def _with_pit(half: Half, mask: Mask, row: int, side: int) -> Half:
    """Sleeveless sides end their armholes at the same row."""
    columns = np.flatnonzero(mask[row])
    return replace(half, pit=floats([columns[0] if side == 0 else columns[-1], row]))


def _agree(left: Half, right: Half, axis: float) -> tuple[Half, Half]:
    """Only one side shows its sleeve: the other mirrors it."""
    if left.sleeved:
        return left, _mirrored(left, 2 * axis + 1, right.edge)
    return _mirrored(right, 2 * axis + 1, left.edge), right


def _mirrored(half: Half, width: float, edge: Floats | None = None) -> Half:
    def across(point: Floats) -> Floats:
        return floats([width - 1 - point[0], point[1]])

    outline = floats(width - 1 - half.edge) if edge is None else edge
    return Half(outline, across(half.pit), across(half.shoulder), across(half.neck), half.sleeved)


def _torso_half(half: Half, axis: float, hem: int) -> Floats:
    """Distance from the axis to the torso's outline for every row.

    Below the arm pit the outline; up to the shoulder the line between the two; then constant.
    """
    rows = np.arange(len(half.edge), dtype=np.float32)
    out = np.abs(half.edge - axis)
    out[rows > hem - _ROUND_HEM * (hem - half.pit[1])] = np.nan
    known = np.flatnonzero(np.isfinite(out) & (rows >= half.pit[1]))
    if not len(known):
        return np.full(len(rows), abs(float(half.pit[0]) - axis), dtype=np.float32)
    below = np.interp(rows, known, gaussian_filter1d(out[known], 2.0))
    pit, shoulder = half.pit, half.shoulder
    span = max(float(pit[1] - shoulder[1]), 1.0)
    t = np.clip((float(pit[1]) - rows) / span, 0, 1)
    outer, at_pit = abs(float(shoulder[0]) - axis), float(below[int(pit[1])])
    return floats(np.where(rows >= pit[1], below, at_pit + (outer - at_pit) * t))


_Limb = tuple[Mask, Floats]


def _limb(mask: Mask, half: Half, side: int) -> _Limb | None:
    """The sleeve's mask and its two edge curves, found on the image-left side."""
    if not half.sleeved:
        return None
    width = mask.shape[1]
    if side == 1:
        mirrored = _limb(mask[:, ::-1], _mirrored(half, width), 0)
        return None if mirrored is None else _flip(mirrored, width)
    sleeve = sleeve_mask(mask, half.shoulder, half.pit)
    if not sleeve.any():
        return None
    return sleeve, edge_curves(sleeve, half.shoulder, half.pit)


def _flip(limb: _Limb, width: int) -> _Limb:
    edges = limb[1].copy()
    edges[..., 0] = width - 1 - edges[..., 0]
    return limb[0][:, ::-1], edges


def _edges(limbs: list[_Limb | None]) -> Floats:
    empty = np.zeros((2, SAMPLES, 2), dtype=np.float32)
    return floats([empty if limb is None else limb[1] for limb in limbs])


def _limb_plane(mask: Mask, limbs: list[_Limb | None]) -> Bytes:
    plane = np.zeros(mask.shape, dtype=np.uint8)
    for side, limb in enumerate(limbs):
        if limb is not None:
            plane[limb[0]] = side + 1
    return plane


def _lower(mask: Mask) -> Shape:
    """Skirt or trousers: the waist is the top row, legs part at the crotch."""
    _, top, _, bottom = extent(mask)
    first, last = run(mask[round(top + 0.03 * (bottom - top))], mask.shape[1] / 2)
    axis = (first + last) / 2
    crotch = _crotch(mask, axis, last - first, top, bottom)
    hem = bottom if crotch is None else round(float(crotch[1]))
    outlines = [_outline_half(mask, axis, side) for side in (0, 1)]
    row = hem if crotch is not None else round((top + bottom) / 2)
    outer = [axis + sign * outlines[i][row] for i, sign in enumerate((-1, 1))]
    pit = floats([crotch, crotch]) if crotch is not None else floats([[x, row] for x in outer])
    shoulder = floats([[x, row] for x in outer])
    limbs = [None if crotch is None else _leg(mask, shoulder, pit, side) for side in (0, 1)]
    waist = floats([[first, top], [last, top]])
    return Shape(
        axis=axis,
        top=float(top),
        hem=float(bottom),
        half=floats(outlines),
        pit=pit,
        shoulder=shoulder,
        neck=waist,
        limbed=(limbs[0] is not None, limbs[1] is not None),
        edges=_edges(limbs),
        limbs=_limb_plane(mask, limbs),
        back=np.zeros_like(mask),
        neck_depth=0.0,
    )


def _crotch(mask: Mask, axis: float, waist: int, top: int, bottom: int) -> Floats | None:
    """The top of the gap between the legs, if there is one at least a tenth of the height."""
    reach = round(_GAP_BAND * waist)
    best: Floats | None = None
    for x in range(round(axis) - reach, round(axis) + reach + 1):
        rows = np.flatnonzero(mask[top : bottom + 1, x])
        last = int(rows[-1]) + top if len(rows) else top
        if bottom - last > _GAP_HIGH * (bottom - top) and (best is None or last < best[1]):
            best = floats([x, last])
    return best


def _has_legs(mask: Mask) -> bool:
    """Whether it parts in the middle for longer than a slit does."""
    left, top, right, bottom = extent(mask)
    crotch = _crotch(mask, axis_of(mask), right - left, top, bottom)
    return crotch is not None and bottom - float(crotch[1]) > _LEGS_HIGH * (bottom - top)


def _outline_half(mask: Mask, axis: float, side: int) -> Floats:
    """Per row, from the axis to the outermost px of one side."""
    if side == 1:
        return _outline_half(mask[:, ::-1], mask.shape[1] - 1 - axis, 0)
    rows = np.flatnonzero(mask.any(axis=1))
    first = np.argmax(mask, axis=1)[rows].astype(np.float32)
    half = np.interp(np.arange(mask.shape[0]), rows, axis - first)
    return floats(gaussian_filter1d(half, 2.0))


def _leg(mask: Mask, shoulder: Floats, pit: Floats, side: int) -> _Limb:
    width = mask.shape[1]
    if side == 1:
        across = floats([width - 1, 0]), floats([-1, 1])
        mirrored = [across[0] + across[1] * points[::-1] for points in (shoulder, pit)]
        return _flip(_leg(mask[:, ::-1], mirrored[0], mirrored[1], 0), width)
    outer, crotch = shoulder[0], pit[0]
    height = mask.shape[0]
    zone = np.array([[-1, outer[1]], outer, crotch, [crotch[0], height], [-1, height]])
    leg = polygon(mask.shape, zone) & mask
    return leg, edge_curves(leg, floats(outer), floats(crotch))
