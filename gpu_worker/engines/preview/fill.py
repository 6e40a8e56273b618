"""Inpainting where the old garment was: with the wall behind it, or the shopper's own skin.

Knows canvas pixels and masks.
"""

from __future__ import annotations

import cv2
import numpy as np

from gpu_worker.engines.preview.scene import Zones
from gpu_worker.engines.preview.skin_limb import Painted
from gpu_worker.vision.planes import (
    Bytes,
    Floats,
    Mask,
    blur,
    coarse_membrane,
    distance_inside,
    floats,
    lab,
    membrane,
    resize,
    resize_bytes,
    shrink,
)
from gpu_worker.vision.planes import grow as grown
from gpu_worker.vision.pose import Person
from gpu_worker.vision.pose.labels import LOWER, SKIN, UPPER

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_WALL_MARGIN_SW = 0.08
_GHOST_SW, _GHOST_STEP_LEVELS = 0.16, 2.5  # how far outside; how many levels unlike the wall
_BUSY_LEVELS = 6.0  # levels: on a busier wall remains do not show
_EDGE_DARKER, _EDGE_SW = 0.25, 0.05
_RIM_SW = 0.03  # width of a limb's outline, where it mixes with the wall
_SEAM_SW = 0.05  # distance over which painted arm and plain skin blend
_OUTLINE_SW = 0.02  # smaller corners of a painted outline are rounded
_COVERED = 0.5
_LEAST_LIT = 0.82  # of the skin's tone: the source may lie in the torso's shadow, as a forearm
_FORM_SW, _FORM = 0.05, (0.88, 1.06)
_GRAIN_SW, _MOST_GRAIN_LEVELS = 0.012, 2.0
_SHADED_L = 7.0  # L
_NECK_SW = 0.40  # half the width of the zone that the chin may shade
_SURE_SW = 0.035  # so far inside its outline skin has its own tone


def filled(
    pixels: Bytes, person: Person, zone: Zones, alpha: Floats, arms: list[Painted]
) -> Floats:
    """float32 (h, w, 3): the colours for `zone.erased`: wall, or skin within the body."""
    sw = person.body.sw
    wall = wall_behind(pixels, person)
    skin = _skin(pixels, person, zone, alpha, arms)
    covered = (alpha > _COVERED) & (person.labels == LOWER)  # trousers over trousers: no skin
    body = zone.bare | (person.person & ~zone.erased & ~covered)
    soft = blur(blur(body, _OUTLINE_SW * sw) > 0.5, 0.012 * sw)[..., None]
    inside = wall + (skin - wall) * soft
    return floats(inside)


def wall_behind(pixels: Bytes, person: Person) -> Floats:
    """float32 (h, w, 3): the background continued behind the person."""
    return _wall(pixels, grown(person.person, _WALL_MARGIN_SW * person.body.sw))


def _wall(pixels: Bytes, person: Mask) -> Floats:
    """The background continued into this mask, smoothly."""
    return coarse_membrane(pixels, ~person)


def ghosts(pixels: Bytes, person: Person, before: Mask, kept: Mask) -> Mask:
    """Remains of the old garment just outside the silhouette: cloth that looks like the wall.

    before: the old garment; kept: px that must not change.
    """
    sw = person.body.sw
    near = grown(before, _GHOST_SW * sw) & ~person.person
    if not near.any():
        return near
    if _texture_of_wall(pixels, ~grown(person.person, _GHOST_SW * sw)) > _BUSY_LEVELS:
        return np.zeros_like(near)
    difference = cv2.absdiff(blur(pixels, 0.7), _wall(pixels, grown(person.person, _GHOST_SW * sw)))
    unlike = np.maximum.reduce(cv2.split(difference)) > _GHOST_STEP_LEVELS
    return near & grown(unlike & near, 0.03 * sw) & ~grown(kept, 0.02 * sw)


def _texture_of_wall(pixels: Bytes, wall: Mask) -> float:
    """How busy the wall is: the 90th percentile of its difference to itself smoothed, in levels."""
    height, width = wall.shape
    small = (max(1, width // 8), max(1, height // 8))
    smooth = resize(resize_bytes(pixels, *small), width, height)
    rough = cv2.absdiff(floats(pixels[::2, ::2]), floats(smooth[::2, ::2]))[wall[::2, ::2]]
    return float(np.percentile(rough, 90)) if len(rough) else 0.0


def erased_weight(person: Person, zone: Zones, limbs: list[Painted]) -> Floats:
    """0..1, how far each px is replaced: soft at the rim, full inside, and fading out along a bare
    limb where the painted part meets the visible one."""
    sw = person.body.sw
    weight = np.clip(2 * blur(zone.erased, 0.008 * sw), 0, 1) * grown(zone.erased, 0.01 * sw)
    if not limbs:
        return floats(weight)
    inside = np.clip(distance_inside(person.labels == SKIN) / (_RIM_SW * sw), 0, 1)
    meeting = np.max([limb.share for limb in limbs], axis=0) * inside
    return floats(np.maximum(weight, meeting))


def _skin(pixels: Bytes, person: Person, zone: Zones, alpha: Floats, arms: list[Painted]) -> Floats:
    """Skin colours continued from visible skin, darker towards the body's outer edges."""
    sw = person.body.sw
    sure = shrink(person.labels == SKIN, _SURE_SW * sw) & ~zone.erased & _below_face(zone, sw)
    sure = _well_lit(pixels, sure, person, zone)
    known, painted = floats(pixels), np.zeros_like(sure)
    for arm in arms:
        known = np.where(arm.mask[..., None], arm.pixels, known)
        painted |= arm.mask
    tone = membrane(known, sure | shrink(painted, _SURE_SW * sw))
    in_shade = painted[..., None] & (known < _LEAST_LIT * tone)
    known = np.where(in_shade, _LEAST_LIT * tone, known)
    depth = distance_inside(zone.bare | (person.labels == SKIN) | (alpha > 0.5))
    darker = 1 - _EDGE_DARKER * np.exp(-depth / (_EDGE_SW * sw))
    shaded = tone * (darker * _relief(pixels, person))[..., None] + _grain(pixels, sure, sw)
    spread = _SEAM_SW * sw
    own = (blur(painted, spread) / np.maximum(blur(painted | zone.bare, spread), 1e-3))[..., None]
    own *= painted[..., None]
    return floats(shaded + (known - shaded) * own)


def _relief(pixels: Bytes, person: Person) -> Floats:
    """(h, w) factor: the body's form (shading), taken from the old top's lightness."""
    inside = shrink(person.labels == UPPER, 0.02 * person.body.sw)
    if not inside.any():
        return np.ones(person.labels.shape, dtype=np.float32)
    lightness = lab(pixels)[..., 0] + 10
    form = _within(lightness, inside, _FORM_SW * person.body.sw)
    form /= np.maximum(_within(lightness, inside, 5 * _FORM_SW * person.body.sw), 1e-3)
    return blur(np.where(inside, np.clip(form, *_FORM), 1), _FORM_SW * person.body.sw)


def _within(plane: Floats, inside: Mask, sigma: float) -> Floats:
    """Normalised blur over the px inside only; computed on a smaller plane if it is wide."""
    height, width = plane.shape
    step = max(1, int(sigma / 4))
    small = (max(1, width // step), max(1, height // step))
    weight = resize(inside, *small)
    total = blur(resize(plane * inside, *small), sigma / step)
    return resize(total / np.maximum(blur(weight, sigma / step), 1e-3), width, height)


def _grain(pixels: Bytes, skin: Mask, sw: float) -> Floats:
    """(h, w, 1) levels of noise, as rough as the visible skin; the seed is fixed."""
    grey = floats(pixels[..., 1])
    rough = (grey - blur(grey, _GRAIN_SW * sw))[skin]
    sigma = min(float(np.median(np.abs(rough))) * 1.5, _MOST_GRAIN_LEVELS) if len(rough) else 0.0
    noise = np.random.Generator(np.random.Philox(seed=1)).standard_normal(grey.shape, np.float32)
    return floats(blur(noise, 0.7) * 1.6 * sigma)[..., None]


def _well_lit(pixels: Bytes, sure: Mask, person: Person, zone: Zones) -> Mask:
    """The skin without the shadow under the chin: a chest continued from that looks dirty."""
    usual = float(np.median(person.tones[:, 0]))
    neck = np.abs(zone.x) < _NECK_SW * person.body.sw
    lit = sure & ((lab(pixels)[..., 0] > usual - _SHADED_L) | ~neck)
    return lit if lit.sum() > 0.2 * sure.sum() else sure


def _below_face(zone: Zones, sw: float) -> Mask:
    return np.asarray(zone.y > -0.62 * sw)
