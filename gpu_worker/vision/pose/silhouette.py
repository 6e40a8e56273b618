"""Refines the model's coarse body mask by comparing the photo with its own background.

Knows pixels, the coarse mask and the body's skeleton, all on the canvas; no garment.
"""

from __future__ import annotations

import numpy as np

from gpu_worker.vision.planes import (
    Bytes,
    Floats,
    Mask,
    blur,
    components,
    connected_to,
    distance_inside,
    floats,
    grow,
    lab,
    length,
    membrane,
    open_,
    polygon,
    to_point,
    to_segment,
    without_holes,
)
from gpu_worker.vision.pose.body import EARS, EYES, SHOULDERS, Body

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_PLAIN_NOISE_LAB = 14.0  # Lab: above it the background is too busy to compare with
_DISTANCE = (0.6, 1.3, 1.3)  # weights of L, a, b: lightness counts less because of shadows
_GAP_SW2 = 0.012  # smaller spots that look like the wall are cloth of the wall's colour
_FINGER_GAP_SW2 = 0.0012
_HAND_SW = 0.26
_EDGE_SW = 0.07
_SURE = 0.97  # of the model's mask: from here on it counts more than the wall's colour
_REACH_SW = 0.10  # how far the model's mask may be wrong
_LIMB_SW = (0.09, 0.07, 0.055)
_LEG_SW = (0.13, 0.10, 0.06)


def silhouette(pixels: Bytes, coarse: Floats, body: Body) -> Mask:
    """The person on the canvas.

    pixels: uint8 (h, w, 3); coarse: float32 (h, w), the model's mask 0..1.
    """
    mask = coarse > 0.5
    sure_background = ~grow(coarse > 0.15, _REACH_SW * body.sw)
    if not sure_background.any():
        return _tidy(mask, body)
    plate = lab_of_plate(pixels, sure_background)
    seen = blur(lab(pixels), 1.0)
    difference = length(seen - plate, _DISTANCE)
    noise = float(np.percentile(difference[sure_background], 97))
    if noise < _PLAIN_NOISE_LAB:  # else the model's mask is better than the comparison
        mask = _grown_to_edge(mask, difference, noise, body)
        mask = _without_gaps(mask, coarse, difference, noise, body)
        mask = _without_cast_shadow(mask, coarse, seen, plate, noise, body)
    return _tidy(mask, body)


def lab_of_plate(pixels: Bytes, background: Mask) -> Floats:
    plate = membrane(pixels, background)
    return lab(np.clip(np.round(plate), 0, 255).astype(np.uint8))


def _grown_to_edge(mask: Mask, difference: Floats, noise: float, body: Body) -> Mask:
    """Adds px that the model missed: unlike the wall, and connected to the mask."""
    near = grow(mask, _REACH_SW * body.sw)
    unlike = near & (difference > max(9.0, 3 * noise))
    return connected_to(mask | unlike, mask)


def _without_gaps(mask: Mask, coarse: Floats, difference: Floats, noise: float, body: Body) -> Mask:
    """Removes px of the wall between arm and body, where the model is not sure either.

    A white top in front of a white wall also looks like the wall, but there the model is sure.
    """
    doubtful = (blur(coarse, 0.02 * body.sw) < _SURE) | _near_hands(body, mask.shape)
    like_wall = mask & doubtful & (difference < max(2.5, 1.6 * noise)) & ~core(body, mask.shape)
    labels, areas = components(like_wall)
    gap = areas > _GAP_SW2 * body.sw**2
    small = areas > _FINGER_GAP_SW2 * body.sw**2
    small &= np.bincount(labels[_near_hands(body, mask.shape)], minlength=len(areas)) > 0.5 * areas
    gap |= small
    gap[0] = False
    fringe = like_wall & (distance_inside(mask) < 0.02 * body.sw)
    return np.asarray(mask & ~gap[labels] & ~fringe)


def _near_hands(body: Body, shape: tuple[int, ...]) -> Mask:
    """Px around the hands: there the model's mask is too coarse, and the wall's colour decides."""
    near = np.zeros(shape[:2], dtype=bool)
    for side in (0, 1):
        wrist = body.arm(side)[2]
        tip = wrist + 1.6 * (body.hand(side) - wrist)
        near |= to_segment(shape, wrist, tip, _HAND_SW * body.sw)[0] < _HAND_SW * body.sw
    return near


def _without_cast_shadow(
    mask: Mask, coarse: Floats, seen: Floats, plate: Floats, noise: float, body: Body
) -> Mask:
    """Removes the body's shadow on the wall: px near the edge of the wall's colour, but darker."""
    colour = length(seen - plate, (0, 1, 1))
    darker = (seen[..., 0] > 0.55 * plate[..., 0]) & (seen[..., 0] < plate[..., 0] + 2)
    shadow = (colour < max(4.5, 2 * noise)) & darker
    edge = (distance_inside(mask) < _EDGE_SW * body.sw) & (coarse < _SURE)
    return np.asarray(mask & ~(shadow & edge & ~core(body, mask.shape)))


def _tidy(mask: Mask, body: Body) -> Mask:
    whole = open_(mask, 0.008 * body.sw)
    whole = connected_to(whole, core(body, mask.shape))
    return without_holes(whole, _GAP_SW2 * body.sw**2)


def core(body: Body, shape: tuple[int, ...]) -> Mask:
    """Px that are certainly body: torso, thin limbs, the middle of the head."""
    inner = polygon(
        shape,
        np.array([body.at(-0.36, 0.02), body.at(0.36, 0.02), body.at(0.40, 1), body.at(-0.40, 1)]),
    )
    centre = floats((body.mid(EARS) + body.mid(EYES)) / 2)
    inner |= to_point(shape, centre) < 0.3 * body.sw
    inner |= _near(shape, body.mid(SHOULDERS), centre, 0.12 * body.sw)
    for side in (0, 1):
        inner |= limb_core(body.arm(side), shape, _LIMB_SW, body.sw)
        inner |= limb_core(body.leg(side), shape, _LEG_SW, body.sw)
    return inner


def limb_core(
    joints: Floats, shape: tuple[int, ...], radii_sw: tuple[float, ...], sw: float
) -> Mask:
    """A chain of capsules through `joints` (n, 2), tapering from radius to radius."""
    mask = np.zeros(shape[:2], dtype=bool)
    for i in range(len(joints) - 1):
        distance, along = to_segment(shape, joints[i], joints[i + 1], max(radii_sw) * sw)
        mask |= distance < (radii_sw[i] + (radii_sw[i + 1] - radii_sw[i]) * along) * sw
    return mask


def _near(shape: tuple[int, ...], a: Floats, b: Floats, radius: float) -> Mask:
    return to_segment(shape, a, b, radius)[0] < radius
