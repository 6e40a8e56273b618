"""Describes a garment by its parts: torso widths, limbs, neckline, for both sides.

Knows the cut-out on the garment's canvas; no body.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from gpu_worker.contract import Category, Reason
from gpu_worker.engine import Refusal
from gpu_worker.vision.cutout.ground import Cut
from gpu_worker.vision.cutout.legs import (
    Legs,
    below_fork,
    find_fork,
    fork_of_overall,
    has_legs,
    legs_of,
)
from gpu_worker.vision.cutout.neckline import find_neckline, inside_of_back
from gpu_worker.vision.cutout.outline import Half, axis_of, extent, hem_row, left_half, run
from gpu_worker.vision.cutout.sleeves import SAMPLES, TracedLimb, edge_curves, flip, sleeve_mask
from gpu_worker.vision.planes import Bytes, Floats, Mask, floats, grow

ARMS, LEGS = (0, 1), (2, 3)  # indices of limbs; the odd ones are at the image's right
# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_SOFT_PX = 4.0  # beyond the outline alpha is 0
_ROUND_HEM_GH = 0.045  # of the height, at the hem: here round hems and corners narrow the rows


@dataclass(frozen=True, slots=True)
class Shape:
    """A garment's parts. Index [0] is the image's left, [1] its right; x, y in canvas px.

    axis: x of the middle; top, hem: rows; half: (2, h) from the axis to the outline per row, with
    limbs left out; pit, shoulder, neck: (2, 2); back: bool (h, w), the inside of the back;
    neck_depth: px.
    The limbs are two sleeves (`ARMS`) and two legs (`LEGS`). limbed: (4,) which of them exist;
    seams: (4, 2, 2) outer and inner point where each leaves the torso; edges: (4, 2, SAMPLES, 2)
    its outer and inner edge; limbs: uint8 (h, w), 1 + index on each limb and a few px beyond its
    outline, so that the soft edge of alpha belongs to it.
    Of trousers, `pit` is the crotch and `shoulder` the outer side at its height.
    """

    axis: float
    top: float
    hem: float
    half: Floats
    pit: Floats
    shoulder: Floats
    neck: Floats
    limbed: tuple[bool, bool, bool, bool]
    seams: Floats
    edges: Floats
    limbs: Bytes
    back: Mask
    neck_depth: float

    @property
    def sleeved(self) -> bool:
        return any(self.limbed[i] for i in ARMS)

    @property
    def legged(self) -> bool:
        return any(self.limbed[i] for i in LEGS)

    @property
    def fork(self) -> float:
        """Row where the legs part."""
        return float(self.seams[LEGS[0], 1, 1])


def describe(found: Cut, category: Category) -> Shape:
    """The parts of a cut-out garment.

    Raises:
        Refusal: garment_not_found, if a top has legs.
    """
    if category is Category.LOWER:
        return _lower(found.mask)
    if category is Category.UPPER and has_legs(found.mask):
        raise Refusal(Reason.GARMENT_NOT_FOUND, "a top with legs")
    fork = fork_of_overall(found.mask) if category is Category.OVERALL else None
    return _top(found) if fork is None else _jumpsuit(found, fork)


def _top(found: Cut) -> Shape:
    """The parts of a top or a dress, with or without sleeves."""
    mask = found.mask
    axis = axis_of(mask)
    hem = hem_row(mask, axis)
    halves = _both_halves(mask, axis, hem)
    width = float(sum(abs(half.pit[0] - axis) for half in halves))
    sleeves = [_sleeve(mask, half, side) for side, half in enumerate(halves)]
    necks = floats([half.neck for half in halves])
    neckline = find_neckline(found.pixels, mask, necks, width)
    pits, shoulders = floats([half.pit for half in halves]), floats([h.shoulder for h in halves])
    shape = Shape(
        axis=axis,
        top=float(extent(mask)[1]),
        hem=float(hem),
        half=floats([_torso_half(half, axis, hem) for half in halves]),
        pit=pits,
        shoulder=shoulders,
        neck=necks,
        limbed=(False, False, False, False),
        seams=np.zeros((4, 2, 2), dtype=np.float32),
        edges=np.zeros((4, 2, SAMPLES, 2), dtype=np.float32),
        limbs=np.zeros(mask.shape, dtype=np.uint8),
        back=inside_of_back(found.pixels, mask, neckline, necks, width),
        neck_depth=neckline.depth,
    )
    seams = floats(np.stack([shoulders, pits], axis=1))
    return _with_limbs(shape, mask, ARMS, sleeves, seams)


def _jumpsuit(found: Cut, fork: Floats) -> Shape:
    """A top as far as the crotch, and trouser legs below it."""
    legs = below_fork(found.mask, fork)
    top = _top(replace(found, mask=found.mask & ~legs))
    whole = replace(top, hem=float(extent(legs)[3]))
    without_sleeves = legs | (found.mask & (top.limbs == 0))
    return _with_legs(whole, found.mask, legs_of(without_sleeves, fork))


def _lower(mask: Mask) -> Shape:
    """Skirt or trousers: the waist is the top row, legs part at the crotch."""
    _, top, _, bottom = extent(mask)
    first, last = run(mask[round(top + 0.03 * (bottom - top))], mask.shape[1] / 2)
    axis = (first + last) / 2
    halves = [_held_at_hem(_outline_half(mask, axis, side), top, bottom) for side in (0, 1)]
    row = round((top + bottom) / 2)
    sides = floats([[axis + sign * halves[i][row], row] for i, sign in enumerate((-1, 1))])
    shape = Shape(
        axis=axis,
        top=float(top),
        hem=float(bottom),
        half=floats(halves),
        pit=sides,
        shoulder=sides,
        neck=floats([[first, top], [last, top]]),
        limbed=(False, False, False, False),
        seams=np.zeros((4, 2, 2), dtype=np.float32),
        edges=np.zeros((4, 2, SAMPLES, 2), dtype=np.float32),
        limbs=np.zeros(mask.shape, dtype=np.uint8),
        back=np.zeros_like(mask),
        neck_depth=0.0,
    )
    fork = find_fork(mask, axis, last - first)
    if fork is None:
        return shape
    legs = legs_of(mask, fork)
    return replace(_with_legs(shape, mask, legs), pit=legs.seams[:, 1], shoulder=legs.seams[:, 0])


def _with_legs(shape: Shape, mask: Mask, legs: Legs) -> Shape:
    return _with_limbs(shape, mask, LEGS, list(legs.limbs), legs.seams)


def _with_limbs(
    shape: Shape,
    mask: Mask,
    which: tuple[int, int],
    found: list[TracedLimb | None],
    seams: Floats,
) -> Shape:
    """The shape with these sleeves or legs added; mask: of the whole garment."""
    limbed, plane = list(shape.limbed), shape.limbs.copy()
    edges, all_seams = shape.edges.copy(), shape.seams.copy()
    all_seams[list(which)] = seams
    for index, limb in zip(which, found, strict=True):
        if limb is not None:
            limbed[index] = True
            plane[limb[0] | (grow(limb[0], _SOFT_PX) & ~mask & (plane == 0))] = index + 1
            edges[index] = limb[1]
    a, b, c, d = limbed
    return replace(shape, limbed=(a, b, c, d), seams=all_seams, edges=edges, limbs=plane)


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
    """The half with its arm pit at this row: without sleeves both armholes end at the same one."""
    columns = np.flatnonzero(mask[row])
    return replace(half, pit=floats([columns[0] if side == 0 else columns[-1], row]))


def _agree(left: Half, right: Half, axis: float) -> tuple[Half, Half]:
    """If a sleeve was found on one side only, the other side mirrors it."""
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

    Below the arm pit the outline itself; between arm pit and shoulder linear; above constant.
    """
    rows = np.arange(len(half.edge), dtype=np.float32)
    out = np.abs(half.edge - axis)
    out[rows > hem - _ROUND_HEM_GH * (hem - half.pit[1])] = np.nan
    known = np.flatnonzero(np.isfinite(out) & (rows >= half.pit[1]))
    if not len(known):
        return np.full(len(rows), abs(float(half.pit[0]) - axis), dtype=np.float32)
    below = np.interp(rows, known, gaussian_filter1d(out[known], 2.0))
    pit, shoulder = half.pit, half.shoulder
    span = max(float(pit[1] - shoulder[1]), 1.0)
    t = np.clip((float(pit[1]) - rows) / span, 0, 1)
    outer, at_pit = abs(float(shoulder[0]) - axis), float(below[int(pit[1])])
    return floats(np.where(rows >= pit[1], below, at_pit + (outer - at_pit) * t))


def _sleeve(mask: Mask, half: Half, side: int) -> TracedLimb | None:
    """The sleeve's mask and its two edge curves, found on the image-left side."""
    if not half.sleeved:
        return None
    width = mask.shape[1]
    if side == 1:
        mirrored = _sleeve(mask[:, ::-1], _mirrored(half, width), 0)
        return None if mirrored is None else flip(mirrored, width)
    sleeve = sleeve_mask(mask, half.shoulder, half.pit, half.edge)
    if not sleeve.any():
        return None
    return sleeve, edge_curves(sleeve, half.shoulder, half.pit)


def _outline_half(mask: Mask, axis: float, side: int) -> Floats:
    """Per row, from the axis to the outermost px of one side."""
    if side == 1:
        return _outline_half(mask[:, ::-1], mask.shape[1] - 1 - axis, 0)
    rows = np.flatnonzero(mask.any(axis=1))
    first = np.argmax(mask, axis=1)[rows].astype(np.float32)
    half = np.interp(np.arange(mask.shape[0]), rows, axis - first)
    return floats(gaussian_filter1d(half, 2.0))


def _held_at_hem(half: Floats, top: int, bottom: int) -> Floats:
    """The last rows are as wide as the one above them: a wavy hem is not narrower."""
    last = round(bottom - _ROUND_HEM_GH * (bottom - top))
    return floats(np.where(np.arange(len(half)) > last, half[last], half))
