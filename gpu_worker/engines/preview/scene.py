"""Occlusion: which px of the photo stay in front of the garment, which are removed, and which of
those show skin.

Everything on the canvas. Knows the person, the worn garment's alpha and their geometry.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_worker.contract import Category
from gpu_worker.engines.preview.torso import body_planes
from gpu_worker.engines.preview.worn import Worn
from gpu_worker.vision.planes import (
    Floats,
    Mask,
    blur,
    coordinates,
    floats,
    grow,
    open_,
    remap,
    shrink,
    smoothstep,
    to_segment,
    without_specks,
)
from gpu_worker.vision.pose import Person
from gpu_worker.vision.pose.body import EARS, MOUTH, NOSE, WRISTS
from gpu_worker.vision.pose.labels import FEET, FRINGE, HAIR, LOWER, SKIN, UPPER

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_PIT_TL = 0.27
_ARM_PITS_TL = (0.32, 0.58)  # below these rows a gap beside a bare arm shows the wall
_ARM_SW = 0.16
_BODY_SIDE = 0.94  # of the half width: beyond it there was only cloth
_OPEN_TL = 0.38
_HIP_TL = 1.0
_TUCKED_SW = 0.03  # finer corners at the worn top's hem are errors of the labels
_STRAND_SW = 0.02
HEAD_SW = -0.30  # the head never extends below this row
_CHIN = 1.1  # distance mouth to chin by distance nose to mouth
_FACE = 1.12  # the face's width by the distance between the ears
_OLD_GROWN_SW = 0.03
_COVERED = 0.98
_TRIM_GROWN_SW = 0.04
_BELOW_HEM_TL = 0.02


@dataclass(frozen=True, slots=True)
class Zones:
    """Planes on the canvas. x, y: body px; head: px that never change; front: px that hide the
    garment; erased: where the photo is replaced; bare: the part of `erased` that shows skin."""

    x: Floats
    y: Floats
    head: Mask
    front: Mask
    erased: Mask
    bare: Mask


def zones(person: Person, worn: Worn, alpha: Floats, category: Category, arms: Mask) -> Zones:
    """All zones of a photo. alpha: (h, w) of the garment, before anything hides it; arms: where
    bare limbs were painted."""
    x, y = body_planes(person.body, person.person.shape)
    head = head_of(person, y)
    front = in_front(person, worn, head, y, category)
    erased = _erased(person, worn, alpha, front, x, y, category, arms)
    bare = erased & _body(person, worn, x, y, arms)
    if worn.legs or category is Category.LOWER:  # no skin beside trousers or under a skirt
        bare &= arms | (y < _HIP_TL * person.body.tl) & (category is not Category.LOWER)
    return Zones(x, y, head, front, erased, bare)


def head_of(person: Person, y: Floats) -> Mask:
    """Face and skull down to the jaw, not the neck: a collar may cover that.

    The jaw is half an ellipse from ear to ear through the chin; px beside it are hair.
    """
    body = person.body
    ears, mouth = body.mid(EARS), body.mid(MOUTH)
    middle, top = (float((ears - body.at(0, 0)) @ axis) for axis in (body.right, body.down))
    low = float((mouth - body.at(0, 0)) @ body.down)
    chin = low + _CHIN * (low - float((body.points[NOSE] - body.at(0, 0)) @ body.down))
    half = _FACE * float(np.hypot(*np.diff(body.points[list(EARS)], axis=0)[0])) / 2
    across = (body_planes(body, person.person.shape)[0] - middle) / half
    jaw = top + max(chin - top, 0.0) * np.sqrt(np.clip(1 - across**2, 0, 1))
    face = (y < jaw) | (np.abs(across) > 1)
    return np.asarray(person.person & face & (y < HEAD_SW * body.sw))


def in_front(person: Person, worn: Worn, head: Mask, y: Floats, category: Category) -> Mask:
    """Px in front of the garment: head, hair, bare arms and hands beyond the sleeves; in front of a
    bottom also the worn top."""
    sw = person.body.sw
    hair = person.labels == HAIR
    front = head | open_(hair, _STRAND_SW * sw)  # thin rims labelled hair have the wall's colour
    for side in (0, 1):
        front |= _bare_arm(person, worn, y, side, category)
    if category is Category.LOWER:
        front |= blur(person.labels == UPPER, _TUCKED_SW * sw) > 0.5
    if worn.legs or category is Category.LOWER:
        front |= person.labels == FEET
    return without_specks(front, 0.004 * sw**2)


def _bare_arm(person: Person, worn: Worn, y: Floats, side: int, category: Category) -> Mask:
    """Skin within a tube around the arm, from the sleeve's end on."""
    body = person.body
    if float(body.visibility[WRISTS[side]]) < 0.5:
        return np.zeros(person.person.shape, dtype=bool)
    shoulder, elbow, wrist = body.arm(side)
    hand = floats(wrist + 1.6 * (body.hand(side) - wrist))
    skin = (person.labels == SKIN) | (person.labels == FRINGE)
    tube = np.zeros_like(skin)
    for a, b, radius in ((shoulder, elbow, 0.16), (elbow, wrist, 0.14), (wrist, hand, 0.22)):
        tube |= to_segment(skin.shape, a, b, radius * body.sw)[0] < radius * body.sw
    if category is Category.LOWER:
        return np.asarray(skin & tube)
    return np.asarray(skin & tube & _beyond_sleeve(worn, y, side))


def _beyond_sleeve(worn: Worn, y: Floats, side: int) -> Mask:
    """Px beyond the line across the sleeve's end; without a sleeve, below the arm pit."""
    grid, along = worn.patches[side], worn.limbs[side]
    if grid is None or along is None:
        return np.asarray(y > worn.map.fade_to)
    end = floats([min(grid.end, along.length)])
    point, out = along.point(end)[0], along.out(end)[0]
    ahead_x, ahead_y = float(out[1]), -float(out[0])
    xs, ys = coordinates(y.shape)
    if side == 1:
        xs = y.shape[1] - 1 - xs
    ahead = (xs - point[0]) * ahead_x + (ys - point[1]) * ahead_y
    return np.asarray(ahead > 0)


def _erased(
    person: Person,
    worn: Worn,
    alpha: Floats,
    front: Mask,
    x: Floats,
    y: Floats,
    category: Category,
    arms: Mask,
) -> Mask:
    """Px to replace: the old garment where the new one does not hide it, and px beside the new
    sleeves and torso."""
    sw = person.body.sw
    before = worn_before(person, category, legs=bool(worn.legs))
    old = grow(before, _OLD_GROWN_SW * sw) & grow(person.person, 0.02 * sw)
    zone = _zone(person, worn, y, category, arms)
    residue = old & zone
    trimmed = np.zeros_like(old)
    if category is not Category.LOWER:
        for side in (0, 1):
            trimmed |= _beside_sleeve(person, worn, side)
        trimmed |= _beside_torso(person, worn, x, y)
    keep = front & ~(old & (arms | before))
    if category is Category.UPPER and is_open(worn):
        keep |= neckline_area(worn)
    erased = (residue | trimmed) & (alpha < _COVERED) & ~keep
    return without_specks(erased, 4) & grow(person.person, _TRIM_GROWN_SW * sw)


def is_open(worn: Worn) -> bool:
    """Whether the neckline is so deep that the garment is worn open, over the old top."""
    depth = worn.map.shape.neck_depth * worn.fit.s * worn.fit.ky
    return depth > _OPEN_TL * worn.measures.tl


def neckline_area(worn: Worn) -> Mask:
    """Px within the neckline, where the inside of the back would show."""
    return np.asarray(remap(worn.back.chosen, worn.back.x, worn.back.y) > 0.5)


def worn_before(person: Person, category: Category, *, legs: bool) -> Mask:
    """The worn cloth that the new garment replaces; legs: whether the new one has legs."""
    labels = person.labels
    if category is Category.UPPER:
        return np.asarray(labels == UPPER)
    if category is Category.LOWER:
        return np.asarray(labels == LOWER)
    if legs:
        return np.isin(labels, (UPPER, LOWER))
    _, v = person.body.uv(labels.shape)
    return np.asarray((labels == UPPER) | ((labels == LOWER) & (v < person.waist + 0.1)))


def _zone(person: Person, worn: Worn, y: Floats, category: Category, bared: Mask) -> Mask:
    """Where the old garment is removed: above the new hem, since below it, it looks worn
    underneath. If the new one has legs or bares them: everywhere below the head."""
    sw, tl = person.body.sw, person.body.tl
    below_head = y > -0.40 * sw
    hem = float(worn.fit.down(worn.map.shape.hem)) - _BELOW_HEM_TL * tl
    if worn.legs or (category is Category.LOWER and bared.any()):
        return below_head
    return np.asarray(below_head & (y < hem))


def _beside_sleeve(person: Person, worn: Worn, side: int) -> Mask:
    """Px of the person around the arm, up to the sleeve's end."""
    grid = worn.patches[side]
    shape = person.person.shape
    if grid is None:
        return np.zeros(shape, dtype=bool)
    body = person.body
    margin = (0.06 if grid.long else 0.10) * body.sw
    shoulder, elbow, wrist = body.arm(side)
    zone = np.zeros(shape, dtype=bool)
    length = 0.0
    for a, b in ((shoulder, elbow), (elbow, wrist)):
        distance, along = to_segment(shape, a, b, 0.26 * body.sw)
        long = float(np.hypot(*(b - a)))
        zone |= (distance < 0.26 * body.sw) & (length + along * long < grid.end - margin)
        length += long
    arm = np.isin(person.labels, (SKIN, FRINGE, UPPER))
    others = shrink((person.labels == LOWER) | (person.labels == HAIR), 0.02 * body.sw)
    return np.asarray(zone & grow(arm, _TRIM_GROWN_SW * body.sw) & ~others)


def _beside_torso(person: Person, worn: Worn, x: Floats, y: Floats) -> Mask:
    """Px of the old top around the torso, between arm pit and hem."""
    cloth = person.labels == UPPER
    sw = person.body.sw
    return np.asarray(
        grow(cloth, 0.02 * sw)
        & (y > worn.map.fade_to)
        & (np.abs(x) < 0.9 * sw)
        & (y < float(worn.fit.down(worn.map.shape.hem)))
    )


def _body(person: Person, worn: Worn, x: Floats, y: Floats, arms: Mask) -> Mask:
    """Where the body is, under the clothes: neck, torso, bare arms; not arms in sleeves."""
    torso = np.zeros(x.shape, dtype=bool)
    for side, chosen in ((0, x < 0), (1, x >= 0)):
        reach = np.abs(x)
        half = worn.measures.half_at(side, y)
        half = np.where(y < 0.15 * worn.measures.tl, np.maximum(half, 0.5 * person.body.sw), half)
        half = np.where(
            y > worn.map.fade_to, _BODY_SIDE * half, half
        )  # beyond it there was only cloth
        inside = (reach < half) & (y > worn.measures.top_at(side, reach))
        torso |= chosen & inside
    shoulders = shrink(person.person, 0.012 * person.body.sw) & _above_side(worn, x, y)
    for side in (0, 1):
        if worn.patches[side] is not None:
            continue
        if person.bare[side]:
            torso |= shoulders & ((x < 0) if side == 0 else (x >= 0))
        torso |= _arm_pit(person, worn, x, y, side)
    return torso | arms


def _above_side(worn: Worn, x: Floats, y: Floats) -> Mask:
    """The body around the arm pits; below them it narrows to the torso's own side."""
    measures = worn.measures
    first, last = (share * measures.tl for share in _ARM_PITS_TL)
    half = np.where(x < 0, measures.half_at(0, y), measures.half_at(1, y))
    reach = _BODY_SIDE * half + _ARM_SW * measures.sw * smoothstep(last, first, y)
    return np.asarray((y < last) & ((y < first) | (np.abs(x) < reach)))


def _arm_pit(person: Person, worn: Worn, x: Floats, y: Floats, side: int) -> Mask:
    """Px between torso and upper arm, above the arm pit: body, never the wall."""
    body = person.body
    offsets = body.arm(side)[:2] - body.at(0, 0)
    ys, xs = offsets @ body.down, np.abs(offsets @ body.right)
    bone = np.interp(y, ys, xs) if ys[1] > ys[0] else np.zeros_like(y)
    inside = (np.abs(x) < bone) & ((x < 0) if side == 0 else (x >= 0))
    below_top = y > worn.measures.top_at(side, np.abs(x))
    return np.asarray(inside & below_top & (y < _PIT_TL * body.tl) & person.person)
