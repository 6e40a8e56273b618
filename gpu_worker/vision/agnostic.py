"""The clothing-agnostic mask: where a photo may be repainted so that it no longer shows what was
worn.

Computed from a `Person`, without a model. Loose on purpose: the mask's outline must not show the
cut of the old garment. Knows the person and a category; no engine, no new garment.
"""

from __future__ import annotations

import cv2
import numpy as np

from gpu_worker.contract import Category
from gpu_worker.engine import Pixels
from gpu_worker.vision.planes import (
    Mask,
    blur,
    components,
    floats,
    grow,
    polygon,
    to_point,
    without_holes,
)
from gpu_worker.vision.pose import Person
from gpu_worker.vision.pose.body import ANKLES, EARS, EYES, MOUTH, Body
from gpu_worker.vision.pose.labels import FEET, FRINGE, HAIR, LOWER, SKIN, UPPER
from gpu_worker.vision.pose.silhouette import limb_core

# Radii that cover a limb, in sw, from the joint at the body outwards; loose: as a wide sleeve.
_ARM_LOOSE, _ARM_TIGHT = (0.30, 0.24, 0.17), (0.20, 0.16, 0.12)
_LEG_LOOSE, _LEG_TIGHT = (0.42, 0.32, 0.24), (0.30, 0.22, 0.16)
_HAND_SW = 0.16  # round a finger landmark
_FOOT_SW = 0.14
_HEAD_SW = 0.45  # round the middle of the head: covers the face, never the neck
_RIM_SW = 0.03  # final dilation: a garment's outermost px lie on the labels' edge
_TIGHT_SW, _LOOSE_SW = 0.06, 0.12
_SMOOTH_SW = 0.05
_HOLE_SW2 = 0.6


def agnostic_mask(
    person: Person,
    category: Category,
    *,
    keep_head: bool = True,
    redraw_hands: bool = True,
    loose: bool = True,
) -> Pixels:
    """uint8 (h, w) of the photo's size: 255 where it is repainted, else 0.

    keep_head: hair and face stay, also in front of cloth; without it only the face stays.
    redraw_hands: hands may be repainted, since a sleeve may end there.
    loose: the convex hull of cloth and limbs; else close to their outline.
    """
    body, labels = person.body, person.labels
    cloth = _cloth(labels, category)
    cover = cloth | _limbs(body, labels.shape, category, loose) | _trunk(body, labels, category)
    cover = grow(cover & _allowed(person), (_LOOSE_SW if loose else _TIGHT_SW) * body.sw)
    if loose:
        cover = _hulls(cover)
    cover = without_holes(cover, _HOLE_SW2 * body.sw**2)
    weak = _others(person, category) | _hands_and_feet(person, category, redraw_hands)
    strong = _head(person, keep_head)
    area = _smooth(cover & ~(weak | strong), body) | cloth
    return _in_photo(grow(area, _RIM_SW * body.sw) & ~(weak | strong), person)


def _cloth(labels: Pixels, category: Category) -> Mask:
    """The worn cloth that the new garment replaces."""
    worn = {Category.UPPER: (UPPER,), Category.LOWER: (LOWER,), Category.OVERALL: (UPPER, LOWER)}
    return np.isin(labels, worn[category])


def _limbs(body: Body, shape: tuple[int, ...], category: Category, loose: bool) -> Mask:
    """Whole arms and legs, as far as the category covers them: the new garment's length is not
    known."""
    cover = np.zeros(shape, dtype=bool)
    for side in (0, 1):
        if category is not Category.LOWER:
            cover |= limb_core(body.arm(side), shape, _ARM_LOOSE if loose else _ARM_TIGHT, body.sw)
        if category is not Category.UPPER:
            cover |= limb_core(body.leg(side), shape, _LEG_LOOSE if loose else _LEG_TIGHT, body.sw)
    return cover


def _trunk(body: Body, labels: Pixels, category: Category) -> Mask:
    """The torso: from the neck to below the hips; for bottoms from the waist to the hips."""
    if category is Category.LOWER:
        corners = [(-0.55, 0.75), (0.55, 0.75), (0.6, 1.15), (-0.6, 1.15)]
    else:
        corners = [(-0.2, -0.18), (0.2, -0.18), (0.6, 0.05), (0.6, 1.1), (-0.6, 1.1), (-0.6, 0.05)]
    return polygon(labels.shape, np.array([body.at(u, v) for u, v in corners]))


def _allowed(person: Person) -> Mask:
    """The body and a margin around it, as far as a garment may stand off."""
    return grow(person.person, 0.35 * person.body.sw)


def _others(person: Person, category: Category) -> Mask:
    """What stays: the other garment, and limbs that no garment of this category covers."""
    body, labels = person.body, person.labels
    if category is Category.UPPER:
        return np.asarray((labels == LOWER) | _below(body, labels, SKIN, 1.05))
    if category is Category.LOWER:
        return np.asarray((labels == UPPER) | _arm_skin(person))
    return np.zeros(labels.shape, dtype=bool)


def _below(body: Body, labels: Pixels, value: int, v: float) -> Mask:
    """Bare legs: px of this label below `v` that are not on an arm."""
    _u, along = body.uv(labels.shape)
    arms = np.zeros(labels.shape, dtype=bool)
    for side in (0, 1):
        arms |= limb_core(body.arm(side), labels.shape, _ARM_LOOSE, body.sw)
        arms |= to_point(labels.shape, body.hand(side)) < 2 * _HAND_SW * body.sw
    return np.asarray((labels == value) & (along > v) & ~arms)


def _arm_skin(person: Person) -> Mask:
    body, labels = person.body, person.labels
    near = np.zeros(labels.shape, dtype=bool)
    for side in (0, 1):
        near |= limb_core(body.arm(side), labels.shape, _ARM_TIGHT, body.sw)
    return np.asarray(near & (labels == SKIN))


def _hands_and_feet(person: Person, category: Category, redraw_hands: bool) -> Mask:
    """Px of hands (if they stay) and feet; the background around them may be repainted."""
    body, labels = person.body, person.labels
    near = np.zeros(labels.shape, dtype=bool)
    for side in (0, 1):
        if not redraw_hands or category is Category.LOWER:
            near |= to_point(labels.shape, body.hand(side)) < _HAND_SW * body.sw
            near |= to_point(labels.shape, body.arm(side)[2]) < 0.6 * _HAND_SW * body.sw
    hands = near & ((labels == SKIN) | (labels == FRINGE))
    feet = np.zeros(labels.shape, dtype=bool)
    for side in (0, 1):
        ankle = body.points[ANKLES[side]]
        feet |= to_point(labels.shape, ankle + 0.12 * body.sw * body.down) < _FOOT_SW * body.sw
    return np.asarray(hands | (labels == FEET) | (feet & person.person & (labels != LOWER)))


def _head(person: Person, keep_head: bool) -> Mask:
    """The face down to the chin, and with `keep_head` the hair."""
    body, labels = person.body, person.labels
    centre = floats((body.mid(EARS) + body.mid(EYES) + body.mid(MOUTH)) / 3)
    chin = floats(body.mid(MOUTH) + 0.8 * (body.mid(MOUTH) - body.mid(EYES)))
    _u, v = body.uv(labels.shape)
    chin_v = float((chin - body.mid((12, 11))) @ body.down) / body.tl
    face = (to_point(labels.shape, centre) < _HEAD_SW * body.sw) & (v < chin_v)
    face &= person.person & (labels != UPPER)
    return np.asarray(face | (labels == HAIR)) if keep_head else np.asarray(face & (labels != HAIR))


def _hulls(cover: Mask) -> Mask:
    """The convex hull of each connected part: its outline shows neither sleeve nor hem."""
    labels, areas = components(cover)
    hulls = np.zeros(cover.shape, dtype=np.uint8)
    for part in range(1, len(areas)):
        points = cv2.findNonZero((labels == part).astype(np.uint8))
        cv2.fillConvexPoly(hulls, cv2.convexHull(points), 1)
    return hulls.astype(bool)


def _smooth(area: Mask, body: Body) -> Mask:
    return np.asarray(blur(area.astype(np.float32), _SMOOTH_SW * body.sw) > 0.5)


def _in_photo(area: Mask, person: Person) -> Pixels:
    """The mask at the photo's size; outside the canvas nothing is repainted."""
    frame = person.frame
    mask = np.zeros((person.size[1], person.size[0]), dtype=np.uint8)
    shown = frame.to_photo(area.astype(np.float32)) >= 0.5
    box = mask[frame.y : frame.y + frame.high, frame.x : frame.x + frame.wide]
    box[:] = np.where(shown, 255, 0)
    return mask
