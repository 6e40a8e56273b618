"""Draws the garment onto the photo: joins fitting, occlusion, fill, light and compositing.

Knows arrays; no order, no engine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gpu_worker.contract import Category
from gpu_worker.engine import Pixels
from gpu_worker.engines.preview.compose import Layers, Planes, compose
from gpu_worker.engines.preview.fill import erased_weight, filled, ghosts
from gpu_worker.engines.preview.render import Texture, alpha_on_canvas, printed, texture
from gpu_worker.engines.preview.scene import Zones, worn_before, zones
from gpu_worker.engines.preview.shade import on_body, on_garment
from gpu_worker.engines.preview.skin_limb import Painted, paint_arm, paint_leg
from gpu_worker.engines.preview.worn import Worn, leg_covered, wear
from gpu_worker.vision.cutout import Garment
from gpu_worker.vision.cutout.shape import ARMS
from gpu_worker.vision.planes import Bytes, Floats, Mask, blur, floats, grow, shrink
from gpu_worker.vision.pose import Person
from gpu_worker.vision.pose.labels import LOWER

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_SEEN = 0.5
_REACH_PX = 2.0  # of the canvas: soft edges between px
_FOLDS_SW = 0.03
_MOST_OF_LEG_SW = 0.7  # a longer part of a thigh is not extrapolated from a knee
_UNDER_CLOTH_SW = 0.015  # the old cloth's thickness


@dataclass(frozen=True, slots=True)
class Drawing:
    """The picture, and its layers on the canvas for the checks.

    pixels: uint8 of the photo's shape; alpha: the visible garment; torso, limbs: its layers;
    bare_limb: px of the longest hidden limb that could not be drawn; bare_leg: the same of legs
    below a garment with legs, else 0.
    """

    pixels: Pixels
    alpha: Floats
    torso: Floats
    limbs: Floats
    zones: Zones
    worn: Worn
    bare_limb: float
    bare_leg: float


def draw(photo: Pixels, person: Person, picture: Pixels, garment: Garment) -> Drawing:
    """Dresses the person of the photo in the garment."""
    worn = wear(person, garment)
    canvas = person.frame.crop(photo)
    torso, sleeves = _alphas(worn, garment)
    alpha = floats(1 - (1 - torso) * (1 - sleeves))
    arms = _bared_arms(canvas, person, worn, garment.category)
    legs = _bared_legs(canvas, person, worn, garment.category)
    zone = _zones(canvas, person, worn, alpha, garment.category, [*arms, *legs])
    fill = filled(canvas, person, zone, alpha, [*arms, *legs])
    light = on_garment(canvas, person, zone, torso, sleeves)
    back = alpha_on_canvas(worn.back, garment, worn.fit.s)
    weight = erased_weight(person, zone, [*arms, *legs])
    planes = _planes(person, zone, alpha, back, fill, weight, light)
    cloth = texture(picture, garment, worn.fit.s, person.frame)
    pixels = compose(photo, person.frame, planes, _layers(worn, cloth))
    seen = floats(alpha * (1 - zone.front))
    bare_leg = _hidden_legs(person, worn, zone, alpha, legs)
    bare_limb = max(_hidden_arms(arms), bare_leg)
    return Drawing(
        pixels, seen, torso, sleeves, zone, worn, bare_limb, bare_leg if worn.legs else 0.0
    )


def _alphas(worn: Worn, garment: Garment) -> tuple[Floats, Floats]:
    """Alphas on the canvas: of the torso with its legs, and of the sleeves. Apart, because sleeves
    cast a shadow on the torso and legs do not."""
    torso, sleeves = [
        [alpha_on_canvas(layer, garment, worn.fit.s) for layer in layers]
        for layers in ((worn.torso, *worn.legs), worn.sleeves)
    ]
    return _joined(torso), _joined([np.zeros_like(torso[0]), *sleeves])


def _joined(alphas: list[Floats]) -> Floats:
    return floats(1 - np.prod([1 - alpha for alpha in alphas], axis=0))


def _zones(
    canvas: Bytes,
    person: Person,
    worn: Worn,
    alpha: Floats,
    category: Category,
    bared: list[Painted],
) -> Zones:
    """Occlusion zones, including remains of the old garment just outside the silhouette."""
    painted = np.any([np.zeros_like(person.person), *(limb.mask for limb in bared)], axis=0)
    bare = _smooth(painted & shrink(person.person, _UNDER_CLOTH_SW * person.body.sw), person)
    zone = zones(person, worn, alpha, category, bare)
    before = worn_before(person, category, legs=bool(worn.legs))
    gone = ghosts(canvas, person, before, person.person & ~zone.erased & ~before)
    return replace(zone, erased=zone.erased | (gone & (alpha < 0.98)))


def _planes(
    person: Person,
    zone: Zones,
    alpha: Floats,
    back: Floats,
    fill: Floats,
    weight: Floats,
    light: Floats,
) -> Planes:
    """The planes for compositing. alpha, back: of the garment, of the inside of its back."""
    shadow = on_body(alpha, person, zone)
    behind = floats(~grow(person.person, 0.01 * person.body.sw))
    hidden = _in_front(person, zone)
    touched = (weight > 0) | (shadow < 1) | (alpha > 0) | (back > 0)
    return Planes(fill, weight, shadow, light, hidden, behind, grow(touched, _REACH_PX))


def _layers(worn: Worn, cloth: Texture) -> Layers:
    return Layers(
        printed(worn.back, cloth) if worn.back.chosen.any() else None,
        tuple(printed(layer, cloth) for layer in (worn.torso, *worn.legs)),
        tuple(printed(layer, cloth) for layer in worn.sleeves),
    )


def _bared_arms(canvas: Bytes, person: Person, worn: Worn, category: Category) -> list[Painted]:
    """The arms that the new garment bares."""
    if category is Category.LOWER:
        return []
    ends = [0.0 if grid is None else grid.end for grid in (worn.patches[i] for i in ARMS)]
    arms = [paint_arm(canvas, person, side, ends[side]) for side in (0, 1)]
    return [arm for arm in arms if arm is not None]


def _bared_legs(canvas: Bytes, person: Person, worn: Worn, category: Category) -> list[Painted]:
    """The legs that shorts, a skirt or a playsuit bares; trousers under a dress stay."""
    if category is not Category.LOWER and not worn.legs:
        return []
    legs = [paint_leg(canvas, person, side, leg_covered(person, worn, side)) for side in (0, 1)]
    return [leg for leg in legs if leg is not None]


def _hidden_arms(arms: list[Painted]) -> float:
    """px of the longest arm that the garment bares and that could not be drawn."""
    return max([arm.hidden for arm in arms if not arm.mask.any()], default=0.0)


def _hidden_legs(
    person: Person, worn: Worn, zone: Zones, alpha: Floats, legs: list[Painted]
) -> float:
    """px of the worn bottom below the new hem, if the legs under it could not be drawn."""
    if not legs or (worn.legs and worn.long_legs):
        return 0.0
    longest = max(leg.hidden for leg in legs)
    if all(leg.mask.any() for leg in legs) and longest < _MOST_OF_LEG_SW * person.body.sw:
        return 0.0
    covered = alpha > _SEEN
    hem = float(zone.y[covered].max()) if covered.any() else 0.0
    below = (person.labels == LOWER) & (zone.y > hem)
    return float(zone.y[below].max() - hem) if below.any() else 0.0


def _smooth(mask: Mask, person: Person) -> Mask:
    """The mask with a smooth outline: the old one may follow the folds of a sleeve."""
    return np.asarray(blur(mask, _FOLDS_SW * person.body.sw) > 0.5)


def _in_front(person: Person, zone: Zones) -> Floats:
    """0..1, how far each px hides the garment; its edge is soft over a px of the canvas."""
    sw = person.body.sw
    soft = np.clip(blur(zone.front, 0.006 * sw) * 1.6 - 0.3, 0, 1)
    return floats(np.maximum(soft, grow(zone.head, 0.012 * sw)))
