"""What is seen where the old garment was: the wall behind, or the shopper's own skin.

Knows canvas pixels and masks.
"""

from __future__ import annotations

import numpy as np

from gpu_worker.planes import Bytes, Floats, Mask, blur, distance_inside, floats, membrane, shrink
from gpu_worker.planes import grow as grown
from gpu_worker.pose import Person
from gpu_worker.pose.labels import SKIN
from gpu_worker.preview.scene import Zones

_WALL_MARGIN_SW = 0.05
_EDGE_DARKER, _EDGE_SW = 0.30, 0.05


def filled(pixels: Bytes, person: Person, zone: Zones) -> Floats:
    """float32 (h, w, 3): the canvas with `zone.erased` replaced by wall or skin."""
    sw = person.body.sw
    wall = membrane(pixels, ~grown(person.person, _WALL_MARGIN_SW * sw))
    skin = _skin(pixels, person, zone)
    soft = blur(zone.bare, 0.008 * sw)[..., None]
    inside = wall + (skin - wall) * soft
    weight = erased_weight(zone, sw)[..., None]
    return floats(pixels + (inside - pixels) * weight)


def erased_weight(zone: Zones, sw: float) -> Floats:
    """0..1: how far each px is replaced; soft at the rim, full inside."""
    return floats(np.clip(2 * blur(zone.erased, 0.008 * sw), 0, 1) * grown(zone.erased, 0.01 * sw))


def _skin(pixels: Bytes, person: Person, zone: Zones) -> Floats:
    """Skin continued from what is bare, darker towards the body's edges."""
    sw = person.body.sw
    sure = shrink(person.labels == SKIN, 0.02 * sw) & ~zone.erased & _below_face(zone, sw)
    tone = (membrane(pixels, sure) + np.median(pixels[sure], axis=0)) / 2 if sure.any() else pixels
    depth = distance_inside(zone.bare | (person.labels == SKIN))
    darker = 1 - _EDGE_DARKER * np.exp(-depth / (_EDGE_SW * sw))
    return floats(tone * darker[..., None])


def _below_face(zone: Zones, sw: float) -> Mask:
    return np.asarray(zone.y > -0.62 * sw)
