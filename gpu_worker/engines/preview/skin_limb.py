"""Extrapolates a bare arm or leg: paints the part that old cloth hid, from the part that shows.

The cross-section of the bare limb just beyond the old hem is continued along the bone. Functions
look at the image-left limb; `_paint` mirrors for the other. Everything on the canvas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gpu_worker.engines.preview.limb import ARM_SW, LEG_SW, Limb, bared, limb
from gpu_worker.engines.preview.measure import whole_leg
from gpu_worker.engines.preview.mesh import inverse_map
from gpu_worker.vision.planes import Bytes, Floats, Mask, floats, remap, smoothstep
from gpu_worker.vision.pose import Person
from gpu_worker.vision.pose.labels import SKIN

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_TUBE_SW = 0.05
_SKIN_SHARE = 0.8
_SKIN_REST = 0.6  # share of skin from there to the end: a glint on jeans is no skin
_SUSTAINED_SW = 0.10
_NEVER_HIDDEN = 0.08  # of the arm: the joint itself lies under a vest's strap
_LEAST_VISIBLE = 0.25  # of the arm: from less skin than this the rest cannot be painted
_DELTA_SW = 0.05
_STRETCH = 0.20
_CAP_SW = 0.17  # beyond the joint: the rounding of the shoulder
_UNDER_SLEEVE_SW = 0.04
_OVER_HEM_SW = 0.06  # the old sleeve's edge and its shadow
_ROWS, _COLUMNS = 16, 13
_MEETS_SW = 0.20  # beyond the old hem
_FROM = (0.3, 0.6)  # of the way to the hem: skin before it belongs to the neck and is visible
_RIM, _RIM_LAST = 0.78, 0.55  # of the half width: px at its very edge are mixed with the wall
_BEYOND_HEM_SW = 0.03


@dataclass(frozen=True, slots=True)
class Painted:
    """A painted limb. pixels: float32 (h, w, 3), valid within mask; share: (h, w) 0..1, how far
    they replace the photo's, which they meet beyond the old hem; hidden: px of the limb that the
    old cloth hid.

    An empty mask: the limb is hidden, and too little of it shows to paint it.
    """

    pixels: Floats
    mask: Mask
    share: Floats
    hidden: float


def skin_starts(along: Limb, skin: Mask, sw: float) -> float | None:
    """px along the limb from where on it is bare; None if too little of it shows."""
    share = _share_of_skin(along, skin, sw)
    step = along.length / (len(share) - 1)
    sustained = max(2, round(_SUSTAINED_SW * sw / step))
    low = along.line[:, 1] < skin.shape[0]
    for i in range(len(share) - sustained):
        rest = share[i:][low[i:]]
        if share[i : i + sustained].min() > _SKIN_SHARE and rest.mean() > _SKIN_REST:
            start = i * step
            return start if along.length - start > _LEAST_VISIBLE * along.length else None
    return None


def _share_of_skin(along: Limb, skin: Mask, sw: float) -> Floats:
    """Per point of the line, the share of skin on a short stroke across it."""
    across = floats(np.linspace(-1, 1, 9) * _TUBE_SW * sw)
    x = floats(along.line[:, :1] + along.normal[:, :1] * across)
    y = floats(along.line[:, 1:] + along.normal[:, 1:] * across)
    return floats(remap(skin.astype(np.float32), x, y).mean(axis=1))


def extend(pixels: Bytes, along: Limb, first: float, start: float, sw: float) -> Painted:
    """Continues the bare limb's look from `start` back to `first`, px along it.

    along: the limb measured on skin only.
    """
    end = start + _MEETS_SW * sw
    t = floats(np.linspace(first, end, _ROWS))
    nu = floats(np.broadcast_to(np.linspace(-1.0, 1.0, _COLUMNS), (_ROWS, _COLUMNS)))
    lent, rim = _lent(t, start, end, _DELTA_SW * sw)
    hem = start + _OVER_HEM_SW * sw
    target = _grid(along, t, nu, hem)
    source = _grid(along, lent, floats(nu * rim[:, None]), hem)
    shape = (pixels.shape[0], pixels.shape[1])
    x, y, inside = inverse_map(source, target, shape)
    at, _, _ = inverse_map(
        floats(np.stack([np.broadcast_to(t[:, None], nu.shape), nu], -1)), target, shape
    )
    low, high = (start * part for part in _FROM)
    share = floats(smoothstep(end, hem, at) * smoothstep(low, high, at) * inside)
    return Painted(remap(pixels, x, y), inside, share, 0.0)


def _lent(t: Floats, start: float, end: float, delta: float) -> tuple[Floats, Floats]:
    """For each row: from where along the limb its pixels are taken, and from how much of the width.

    Beyond the old hem the source approaches the row itself, so that no seam shows. Up the limb more
    and more of the source's shaded rim is left out, which belongs to the hem's surroundings.
    """
    beyond = np.clip((t - start) / (end - start), 0, 1)
    above = np.maximum(start - t, 0)
    lent = np.where(t > start, t + delta * (1 - beyond), start + delta + _STRETCH * above)
    fully = above / max(float(above.max()), 1e-6)
    rim = np.where(t > start, _RIM + (1 - _RIM) * beyond, _RIM + (_RIM_LAST - _RIM) * fully)
    return floats(lent), floats(rim)


def _grid(along: Limb, t: Floats, nu: Floats, start: float) -> Floats:
    """(rows, columns, 2): px at t (rows,) along the limb, nu (rows, columns) from its inner (-1)
    to its outer edge (1).

    Before `start` the limb's width is the model's, scaled as it is at `start`; the difference
    between both halves fades out towards the joint.
    """
    model = np.interp(t, along.at, along.model)
    ratios = [_ratio(along, own, start) for own in (along.outer, along.inner)]
    off = np.sqrt(np.clip(t / max(start, 1.0), 0, 1))
    middle = sum(ratios) / 2
    widths = [
        np.where(t < start, model * (middle + (ratio - middle) * off), np.interp(t, along.at, own))
        for ratio, own in zip(ratios, (along.outer, along.inner), strict=True)
    ]
    across = np.where(nu > 0, nu * widths[0][:, None], nu * widths[1][:, None])
    before = np.minimum(t, 0)[:, None] * (along.line[1] - along.line[0]) / max(along.at[1], 1e-6)
    return floats((along.point(t) + before)[:, None] + along.out(t)[:, None] * across[..., None])


def _ratio(along: Limb, own: Floats, start: float) -> float:
    """Width of one half by the model's, at a point."""
    return float(np.interp(start, along.at, own) / np.interp(start, along.at, along.model))


def paint_arm(pixels: Bytes, person: Person, side: int, sleeve_end: float) -> Painted | None:
    """The arm that the old sleeve hides and the new one does not; None where none is hidden.

    sleeve_end: px along the limb to which the new sleeve reaches.
    """
    if person.bare[side]:
        return None
    first = -_CAP_SW * person.body.sw if sleeve_end <= 0 else sleeve_end
    return _paint(pixels, person, side, person.body.arm(side), ARM_SW, first)


def paint_leg(pixels: Bytes, person: Person, side: int, end: float) -> Painted | None:
    """The leg that the old bottom hides and the new one does not; None where none is hidden.

    end: px along the leg to which the new garment reaches.
    """
    return _paint(pixels, person, side, whole_leg(person, side), LEG_SW, end)


def _paint(
    pixels: Bytes,
    person: Person,
    side: int,
    joints: Floats,
    model: tuple[float, ...],
    cloth_end: float,
) -> Painted | None:
    """Paints one limb; None if old cloth hides nothing of it that the new garment bares."""
    skin, sw = person.labels == SKIN, person.body.sw
    if side == 1:
        pixels, skin = np.ascontiguousarray(pixels[:, ::-1]), skin[:, ::-1]
        joints = joints * floats([-1, 1]) + floats([skin.shape[1] - 1, 0])
    along = limb(floats(joints), skin, skin, model, sw)
    start = skin_starts(along, skin, sw)
    if start is None:
        hidden = max(0.0, along.length - max(cloth_end, 0.0))
        nothing = np.zeros_like(person.person)
        return Painted(floats(pixels), nothing, floats(nothing), hidden)
    if start < max(cloth_end, _NEVER_HIDDEN * along.length):  # nothing to paint: bare or covered
        return None
    first = cloth_end - _UNDER_SLEEVE_SW * sw if cloth_end > 0 else cloth_end
    seen = bared(along, skin, start + _BEYOND_HEM_SW * sw)
    painted = extend(pixels, seen, first, start, sw)
    hidden = start - max(cloth_end, 0.0)
    if side == 0:
        return replace(painted, hidden=hidden)
    planes = [floats(plane[:, ::-1]) for plane in (painted.pixels, painted.share)]
    return Painted(planes[0], painted.mask[:, ::-1], planes[1], hidden)
