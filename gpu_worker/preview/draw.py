"""Draws the garment onto the photo: body, garment, light, and what stays in front.

Knows arrays; no order, no engine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gpu_worker.contract import Category
from gpu_worker.cutout import Garment
from gpu_worker.cutout.shape import ARMS
from gpu_worker.engine import Pixels
from gpu_worker.planes import Bytes, Floats, Mask, blur, floats, grow, resize, shrink
from gpu_worker.pose import Person
from gpu_worker.pose.labels import LOWER
from gpu_worker.preview.fill import erased_weight, filled, ghosts
from gpu_worker.preview.render import Drawn, Texture, draw_layer, over, texture
from gpu_worker.preview.scene import HEAD_SW, Zones, worn_before, zones
from gpu_worker.preview.shade import GAMMA, on_body, on_garment
from gpu_worker.preview.skin_limb import Painted, paint_arm, paint_leg
from gpu_worker.preview.worn import Worn, leg_covered, wear

_BACK_DARKER = 0.8
_FOLDS_SW = 0.03
_MOST_OF_LEG_SW = 0.7  # more than this of a thigh is not drawn from a knee
_UNDER_CLOTH_SW = 0.015  # the old cloth's thickness


@dataclass(frozen=True, slots=True)
class Drawing:
    """The picture and what it was made of, on the canvas: for the checks.

    pixels: uint8 of the photo's shape; alpha: the garment as seen; torso, limbs: its layers;
    bare_limb: px of the longest hidden limb that could not be drawn.
    """

    pixels: Pixels
    alpha: Floats
    torso: Floats
    limbs: Floats
    zones: Zones
    worn: Worn
    bare_limb: float


def draw(photo: Pixels, person: Person, picture: Pixels, garment: Garment) -> Drawing:
    """Dresses the person of the photo in the garment."""
    worn = wear(person, garment)
    frame = person.frame
    cloth = texture(picture, garment, worn.fit.s, frame)
    torso = draw_layer(worn.torso, cloth, frame)
    for leg in worn.legs:
        torso = over(torso, draw_layer(leg, cloth, frame))
    limbs = _sleeves(worn, cloth, person, torso)
    canvas = frame.crop(photo)
    low_torso, low_limbs = _to_canvas(torso.alpha, canvas), _to_canvas(limbs.alpha, canvas)
    alpha = floats(1 - (1 - low_torso) * (1 - low_limbs))
    arms = _bared_arms(canvas, person, worn, garment.category)
    legs = _bared_legs(canvas, person, worn, garment.category)
    bared = [*arms, *legs]
    painted = np.any([np.zeros_like(person.person), *(limb.mask for limb in bared)], axis=0)
    bare = _smooth(painted & shrink(person.person, _UNDER_CLOTH_SW * person.body.sw), person)
    zone = zones(person, worn, alpha, garment.category, bare)
    before = worn_before(person, garment.category, legs=bool(worn.legs))
    gone = ghosts(canvas, person, before, person.person & ~zone.erased & ~before)
    zone = replace(zone, erased=zone.erased | (gone & (alpha < 0.98)))
    box = photo[frame.y : frame.y + frame.high, frame.x : frame.x + frame.wide]
    under = _body(box, canvas, person, zone, alpha, bared)
    light = frame.to_photo(on_garment(canvas, person, zone, low_torso, low_limbs))
    visible = 1 - _front(person, zone)
    under = _with_back(under, worn, cloth, person, visible, garment.category)
    seen = over(torso, limbs)
    seen_alpha = seen.alpha * visible
    out = under + (_lit(seen.pixels, light) - under) * seen_alpha[..., None]
    pixels = photo.copy()
    changed = (np.abs(out - box) > 0.5).any(axis=2)
    drawn = np.clip(np.round(out), 0, 255).astype(np.uint8)
    pixels[frame.y : frame.y + frame.high, frame.x : frame.x + frame.wide] = np.where(
        changed[..., None], drawn, box
    )
    seen_low = floats(alpha * (1 - zone.front))
    bare_limb = max(_hidden_arms(arms), _hidden_legs(person, worn, zone, legs))
    return Drawing(pixels, seen_low, low_torso, low_limbs, zone, worn, bare_limb)


def _bared_arms(canvas: Bytes, person: Person, worn: Worn, category: Category) -> list[Painted]:
    """The arms that the new garment bares."""
    if category is Category.LOWER:
        return []
    ends = [0.0 if grid is None else grid.end for grid in (worn.patches[i] for i in ARMS)]
    arms = [paint_arm(canvas, person, side, ends[side]) for side in (0, 1)]
    return [arm for arm in arms if arm is not None]


def _bared_legs(canvas: Bytes, person: Person, worn: Worn, category: Category) -> list[Painted]:
    """The legs that shorts, a skirt or a playsuit bares; under a dress trousers stay."""
    if category is not Category.LOWER and not worn.legs:
        return []
    legs = [paint_leg(canvas, person, side, leg_covered(person, worn, side)) for side in (0, 1)]
    return [leg for leg in legs if leg is not None]


def _hidden_arms(arms: list[Painted]) -> float:
    """px of the longest arm that the garment bares and that could not be drawn."""
    return max([arm.hidden for arm in arms if not arm.mask.any()], default=0.0)


def _hidden_legs(person: Person, worn: Worn, zone: Zones, legs: list[Painted]) -> float:
    """px of worn bottoms below the new hem, where the legs beneath could not be drawn."""
    if not legs or (worn.legs and worn.long_legs):
        return 0.0
    longest = max(leg.hidden for leg in legs)
    if all(leg.mask.any() for leg in legs) and longest < _MOST_OF_LEG_SW * person.body.sw:
        return 0.0
    hem = float(worn.fit.down(worn.map.shape.hem))
    below = (person.labels == LOWER) & (zone.y > hem)
    return float(zone.y[below].max() - hem) if below.any() else 0.0


def _smooth(mask: Mask, person: Person) -> Mask:
    """Without the steps of a mask that followed the folds of a sleeve."""
    return np.asarray(blur(mask, _FOLDS_SW * person.body.sw) > 0.5)


def _sleeves(worn: Worn, cloth: Texture, person: Person, torso: Drawn) -> Drawn:
    """All sleeves as one layer: they cast a shadow on the torso, which legs do not."""
    drawn = Drawn(torso.pixels, np.zeros_like(torso.alpha))
    for layer in worn.sleeves:
        drawn = over(drawn, draw_layer(layer, cloth, person.frame))
    return drawn


def _to_canvas(alpha: Floats, canvas: Bytes) -> Floats:
    return resize(alpha, canvas.shape[1], canvas.shape[0])


def _front(person: Person, zone: Zones) -> Floats:
    """What hides the garment, soft by a px of the canvas, at the photo's size."""
    sw = person.body.sw
    soft = np.clip(blur(zone.front, 0.006 * sw) * 1.6 - 0.3, 0, 1)
    head = person.person & (zone.y < HEAD_SW * sw)
    soft = np.maximum(soft, grow(head, 0.012 * sw))
    return person.frame.to_photo(soft)


def _body(
    box: Pixels,
    canvas: Bytes,
    person: Person,
    zone: Zones,
    alpha: Floats,
    arms: list[Painted],
) -> Floats:
    """float32: the photo's box without the old garment, with the new one's shadow."""
    weight = person.frame.to_photo(erased_weight(zone, person.body.sw))[..., None]
    fill = person.frame.to_photo(filled(canvas, person, zone, alpha, arms))
    under = box + (fill - box) * weight
    shadow = person.frame.to_photo(on_body(alpha, person, zone))
    return _lit(floats(under), shadow)


def _lit(pixels: Floats, factor: Floats) -> Floats:
    """Scales the light: sRGB values are about light to the power 1 / 2.2."""
    return floats(pixels * (np.maximum(factor, 0) ** np.float32(1 / GAMMA))[..., None])


def _with_back(
    under: Floats, worn: Worn, cloth: Texture, person: Person, visible: Floats, category: Category
) -> Floats:
    """The inside of the back, seen only beside the neck, a little darker."""
    if category is Category.LOWER or not worn.back.chosen.any():
        return under
    back = draw_layer(worn.back, cloth, person.frame)
    behind = person.frame.to_photo(_not_body(person).astype(np.float32))
    alpha = back.alpha * behind * visible
    return floats(under + (back.pixels * _BACK_DARKER - under) * alpha[..., None])


def _not_body(person: Person) -> Mask:
    return ~grow(person.person, 0.01 * person.body.sw)
