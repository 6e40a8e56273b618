"""Finds the legs of trousers and jumpsuits: the fork where they part, and their edge curves.

Knows a mask on the garment's canvas; no colours, no body. Points are x, y in px.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_worker.vision.cutout.outline import axis_of, extent, run
from gpu_worker.vision.cutout.sleeves import TracedLimb, edge_curves, flip
from gpu_worker.vision.planes import Floats, Mask, connected_to, floats, polygon

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_GAP_HIGH_GH = 0.10  # of the height: a shorter gap is a slit
_GAP_BAND = 0.12  # of the waist's width: how far from the middle the fork may be
_LONG_LEGS_GH = 0.30  # of an overall's height: no slit is so long
_APART_GW = 0.3  # of the width
_GAP_WIDE_GW = 0.035  # of the width: a shorter gap as narrow as this is a skirt's slit


@dataclass(frozen=True, slots=True)
class Legs:
    """Both legs. seams: (2, 2, 2) outer side and crotch per leg; limbs: mask and edges per leg."""

    seams: Floats
    limbs: tuple[TracedLimb, TracedLimb]


def find_fork(mask: Mask, axis: float | None = None, waist: int | None = None) -> Floats | None:
    """The top (x, y) of the gap between the legs; None if it is shorter than a tenth of the
    height."""
    left, top, right, bottom = extent(mask)
    axis = axis_of(mask) if axis is None else axis
    reach = round(_GAP_BAND * (right - left if waist is None else waist))
    first = round(axis) - reach
    band = mask[top : bottom + 1, first : round(axis) + reach + 1]
    whole = np.flatnonzero(band.all(axis=1))
    row = int(whole[-1]) if len(whole) else 0
    if len(band) - 1 - row <= _GAP_HIGH_GH * (bottom - top):
        return None
    gap = np.flatnonzero(~band[row + 1])
    return floats([first + np.median(gap), top + row + 1])


def fork_of_overall(mask: Mask) -> Floats | None:
    """Where an overall's legs part; None for a dress, with or without a slit."""
    left, top, right, bottom = extent(mask)
    fork = find_fork(mask)
    if fork is None:
        return None
    long = bottom - float(fork[1]) > _LONG_LEGS_GH * (bottom - top)
    return fork if long or _gap_wide(mask, fork, bottom) > _GAP_WIDE_GW * (right - left) else None


def has_legs(mask: Mask) -> bool:
    """Whether a supposed top is trousers. Sleeves that hang below a hem leave a wider gap."""
    left, top, right, bottom = extent(mask)
    fork = find_fork(mask)
    if fork is None or bottom - float(fork[1]) < _LONG_LEGS_GH * (bottom - top):
        return False
    return _gap_wide(mask, fork, bottom, 0.1) < _APART_GW * (right - left)


def _gap_wide(mask: Mask, fork: Floats, bottom: int, share: float = 0.5) -> float:
    """Width of the gap between the legs, px, at a share of their height below the fork."""
    row = mask[round(float(fork[1]) + share * (bottom - float(fork[1])))]
    x = round(float(fork[0]))
    if row[x]:
        return 0.0
    before, after = np.flatnonzero(row[:x]), np.flatnonzero(row[x:])
    return float(after[0] + x - before[-1]) if len(before) and len(after) else 0.0


def below_fork(mask: Mask, fork: Floats) -> Mask:
    """The px of both legs: connected to the torso's row at the fork, below it."""
    row = round(float(fork[1]))
    first, last = run(mask[row - 1], float(fork[0]))
    below = mask.copy()
    below[:row] = False
    seeds = np.zeros_like(mask)
    seeds[row, first : last + 1] = True
    return connected_to(below, seeds)


def legs_of(mask: Mask, fork: Floats) -> Legs:
    """Both legs of a mask whose torso ends at the fork's row."""
    row = round(float(fork[1]))
    first, last = run(mask[row - 1], float(fork[0]))
    left, right = floats([first, row]), floats([last, row])
    seams = floats([[left, fork], [right, fork]])
    return Legs(seams, (_leg(mask, seams[0]), _flipped_leg(mask, seams[1])))


def _flipped_leg(mask: Mask, seam: Floats) -> TracedLimb:
    width = mask.shape[1]
    mirrored = floats([width - 1, 0]) + floats([-1, 1]) * seam
    return flip(_leg(mask[:, ::-1], floats(mirrored)), width)


def _leg(mask: Mask, seam: Floats) -> TracedLimb:
    """The leg at the image's left."""
    (outer_x, row), (fork_x, _) = seam
    height = mask.shape[0]
    zone = np.array([[-1, row], [outer_x, row], [fork_x, row], [fork_x, height], [-1, height]])
    leg = polygon(mask.shape, zone) & mask
    return leg, edge_curves(leg, floats(seam[0]), floats(seam[1]))
