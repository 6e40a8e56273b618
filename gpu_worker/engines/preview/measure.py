"""Measures a body on its canvas: half widths by height, the shoulder's contour, limbs.

Knows a `Person`; no garment. Lengths are canvas px along the body's own axes: bx to the image's
right, by down, both from the middle of the shoulders. Index [0] is the image's left side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from gpu_worker.vision.planes import Floats, Mask, Numbers, connected_to, floats, open_, remap
from gpu_worker.vision.pose import Person
from gpu_worker.vision.pose.body import Body
from gpu_worker.vision.pose.labels import HAIR, LOWER
from gpu_worker.vision.pose.silhouette import core, limb_core

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
STEP_TL = 0.01
_LOWEST_TL = 3.2
_MODEL_V = (0.0, 0.2, 0.55, 0.8, 1.0, 1.25)
_MODEL_SW = (0.50, 0.47, 0.42, 0.45, 0.50, 0.54)
_LIKE_MODEL = (0.82, 1.5)
_THIN_ARM_SW = (0.09, 0.07, 0.055, 0.10)
_ARM_SW = (0.17, 0.15, 0.12, 0.18)
_TOP_U = (0.12, 0.2, 0.3, 0.5, 0.62)
_TOP_SW = (-0.44, -0.27, -0.18, -0.10, 0.03)
_TOP_OFF_SW = (-0.10, 0.08)
_LEGS_FROM_TL = 1.06
_FINGER_SW = 0.04
_THIGH_TL, _SHANK_TL = 0.76, 0.78
_AT_EDGE_TL = 0.06
_BOTTOM_HIGHEST_TL, _BOTTOM_SHARE = 0.6, 0.08


@dataclass(frozen=True, slots=True)
class Measures:
    """Measurements of one body, as tables over height or width.

    half: (2, n) px from the middle to the side of the body without arms, at v = STEP_TL * i tl;
    cover: (2, n) px to which a garment must reach to hide the old one, at the same v;
    top: (2, m) by of the shoulder's contour, px, at bx = 0, 1, .. px to that side;
    bottom_from: v in tl of the highest row that shows the worn bottom.
    """

    half: Floats
    cover: Floats
    top: Floats
    bottom_from: float
    sw: float
    tl: float

    def half_at(self, side: int, y: Numbers | float) -> Floats:
        return _at(self.half[side], np.asarray(y) / (STEP_TL * self.tl))

    def cover_at(self, side: int, y: Numbers | float) -> Floats:
        return _at(self.cover[side], np.asarray(y) / (STEP_TL * self.tl))

    def top_at(self, side: int, x: Numbers | float) -> Floats:
        return _at(self.top[side], np.asarray(x))


def _at(table: Floats, index: Numbers) -> Floats:
    return floats(np.interp(index, np.arange(len(table)), table))


def measure(person: Person) -> Measures:
    """Measures one person."""
    body = person.body
    shape = person.person.shape
    thin, thick = [
        limb_core(_with_hand(body, 0), shape, radii, body.sw)
        | limb_core(_with_hand(body, 1), shape, radii, body.sw)
        for radii in (_THIN_ARM_SW, _ARM_SW)
    ]
    without_arms = _trunk(person.person & ~thick, body)
    without_bones = person.person & ~thin
    not_hair = person.person & (person.labels != HAIR)
    halves = [_profile(without_arms, body, side) for side in (0, 1)]
    covers = [_cover(without_bones, halves[side], person, side) for side in (0, 1)]
    tops = [_top(not_hair, body, side) for side in (0, 1)]
    return Measures(
        floats(halves), floats(covers), floats(tops), _bottom_from(person), body.sw, body.tl
    )


def _trunk(mask: Mask, body: Body) -> Mask:
    """The px connected to the torso, without fingers beside the hips."""
    _, v = body.uv(mask.shape)
    return connected_to(open_(mask, _FINGER_SW * body.sw), core(body, mask.shape) & (v > 0))


def _with_hand(body: Body, side: int) -> Floats:
    """Shoulder, elbow, wrist and finger tips (4, 2)."""
    arm = body.arm(side)
    return floats([*arm, arm[2] + 1.6 * (body.hand(side) - arm[2])])


def straightened(mask: Mask, body: Body, side: int, ys: Floats, xs: Floats) -> Mask:
    """The mask resampled at body px: (len(ys), len(xs)); bx counts away from the middle."""
    sign = -1 if side == 0 else 1
    origin, right, down = body.at(0, 0), body.right, body.down
    grid_y, grid_x = np.meshgrid(ys, xs * sign, indexing="ij")
    at_x = floats(origin[0] + grid_x * right[0] + grid_y * down[0])
    at_y = floats(origin[1] + grid_x * right[1] + grid_y * down[1])
    return np.asarray(remap(mask.astype(np.float32), at_x, at_y) > 0.5)


def whole_leg(person: Person, side: int) -> Floats:
    """Hip, knee, ankle (3, 2). The landmark model places joints outside the photo at its edge;
    these are moved to where a body of this size has them."""
    hip, knee, ankle = person.body.leg(side)
    low = person.frame.height - _AT_EDGE_TL * person.body.tl
    if float(ankle[1]) < low:
        return floats([hip, knee, ankle])
    along = knee - hip
    down = along / max(float(np.hypot(*along)), 1e-6)
    thigh = float(np.hypot(*along)) if float(knee[1]) < low else 0.0
    knee = hip + max(thigh, _THIGH_TL * person.body.tl) * down
    return floats([hip, knee, knee + _SHANK_TL * person.body.tl * down])


def _rows(body: Body) -> Floats:
    return floats(np.arange(0, _LOWEST_TL, STEP_TL) * body.tl)


def _exits(mask: Mask) -> Floats:
    """Per row, the index of the first px outside."""
    ended = ~mask
    ended[:, -1] = True
    return floats(np.argmax(ended, axis=1))


def _reach(mask: Mask) -> Floats:
    """Per row, the index of the outermost px inside: below the hips the row may start in the gap
    between the legs."""
    return floats(mask.shape[1] - 1 - np.argmax(mask[:, ::-1], axis=1)) * mask.any(axis=1)


def _profile(mask: Mask, body: Body, side: int) -> Floats:
    """Half width by height on one side; kept near that of a usual body, and smoothed."""
    rows = _rows(body)
    columns = floats(np.arange(0, 1.0 * body.sw))
    seen = straightened(mask, body, side, rows, columns)
    v = rows / body.tl
    width = np.where(v < _LEGS_FROM_TL, _exits(seen), _reach(seen))
    model = np.interp(v, _MODEL_V, _MODEL_SW) * body.sw
    width = np.where(width > 2, width, model)
    low = np.where(v < 1.3, _LIKE_MODEL[0], 0.5) * model
    return _smooth(np.clip(width, low, _LIKE_MODEL[1] * model), 4.0)


def _cover(mask: Mask, half: Floats, person: Person, side: int) -> Floats:
    """Px from the middle to the edge of body and old garment, bounded by the body's half width."""
    body = person.body
    rows = _rows(body)
    seen = straightened(mask, body, side, rows, floats(np.arange(0, 1.2 * body.sw)))
    most = 1.25 if person.bare[side] else 1.12
    return _smooth(np.clip(_exits(seen), half, most * half), 4.0)


def _top(mask: Mask, body: Body, side: int) -> Floats:
    """The shoulder's contour: per column, up from .10 sw below the shoulder line until the body
    ends."""
    ys = floats(np.arange(0.10 * body.sw, -0.7 * body.sw, -1.0))
    xs = floats(np.arange(0, 0.9 * body.sw))
    seen = straightened(mask, body, side, ys, xs)
    height = 0.10 * body.sw - _exits(seen.T)
    model = np.interp(xs / body.sw, _TOP_U, _TOP_SW) * body.sw
    low, high = _TOP_OFF_SW
    return _smooth(np.clip(height, model + low * body.sw, model + high * body.sw), 5.0)


def _bottom_from(person: Person) -> float:
    """v of the highest row of which a twelfth shows the bottom: waists may be slanted."""
    u, v = person.body.uv(person.labels.shape)
    rows = np.arange(_BOTTOM_HIGHEST_TL, person.waist, STEP_TL)
    middle = person.person & (np.abs(u) < 0.45)
    index = ((v - _BOTTOM_HIGHEST_TL) / STEP_TL).astype(np.int32)
    inside = middle & (index >= 0) & (index < len(rows))
    every = np.bincount(index[inside], minlength=len(rows))
    lower = np.bincount(index[inside & (person.labels == LOWER)], minlength=len(rows))
    shown = np.flatnonzero(lower > _BOTTOM_SHARE * np.maximum(every, 1))
    return float(rows[shown[0]]) if len(shown) else person.waist


def _smooth(values: Numbers, sigma: float) -> Floats:
    return floats(gaussian_filter1d(values, sigma, mode="nearest"))
