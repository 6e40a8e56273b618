"""Cuts a garment out of a plain background (`ground`), by colour distance in Lab.

Knows the pixels of a garment's picture; nothing about the garment.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gpu_worker.contract import Reason
from gpu_worker.engine import Pixels, Refusal
from gpu_worker.vision.planes import (
    Bytes,
    Floats,
    Mask,
    blur,
    close,
    coarse_membrane,
    components,
    connected_to,
    floats,
    lab,
    largest,
    length,
    open_,
    resize_bytes,
    shrink,
    smoothstep,
)

LONG_SIDE_PX = 900  # of the garment's canvas: its outline is found at this size
# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_BORDER = 0.02  # of the shorter side
_PLAIN_LAB = 25.0  # Lab: on a plain background, four fifths of the border are within this distance
_NEAR_LAB = 2.0
_CLEAR_LAB = 9.0  # Lab: px that differ less are kept only if they are no thin line
_THREAD_PX = 2.0
_SHADOW_CHROMA = 2.5
_LEAST_SHARE, _MOST_SHARE = 0.02, 0.92  # of the picture
_RIM_PX = 3.0  # of the canvas: width of the edge in which garment and background may mix
_DISTINCT_LAB = 12.0  # Lab: below it a mixed px cannot be told from a pure one
_GAP_WIDE_GW = 0.08  # of the garment's width
_GAP_TALL = 2.0  # height by width: a notch at a scalloped hem is no gap
_HOLE_SHARE = 0.004  # of the garment's area: smaller spots of the background's colour are print
_HOLE_TALL_GH = 0.12  # of the garment's height: so are less tall ones
_LEAST_PX = 100  # a smaller picture would be blurred on the shopper


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut-out. pixels: uint8 (h, w, 3), the picture on the garment's canvas; alpha: float32
    (h, w) 0..1; mask: bool (h, w); scale: canvas px per px of the picture."""

    pixels: Bytes
    alpha: Floats
    mask: Mask
    scale: float


def cut(pixels: Pixels) -> Cut:
    """Cuts the garment out.

    Raises:
        Refusal: garment_background_not_plain, garment_not_found.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < _LEAST_PX:
        raise Refusal(Reason.GARMENT_NOT_FOUND, f"a picture of {width} x {height} px")
    scale = min(1.0, LONG_SIDE_PX / max(height, width))
    canvas = resize_bytes(pixels, round(width * scale), round(height * scale))
    seen = lab(canvas)
    ground, spread = _ground(seen)
    mask = _without_holes_of_ground(_body(seen, ground, spread), seen, ground, spread)
    mask = _without_shaded_gap(mask, seen, ground)
    share = float(mask.mean())
    if share < _LEAST_SHARE:
        raise Refusal(Reason.GARMENT_NOT_FOUND, f"{share:.1%} of the picture differ from it")
    if share > _MOST_SHARE:
        raise Refusal(Reason.GARMENT_BACKGROUND_NOT_PLAIN, "the garment fills the picture")
    return Cut(canvas, _soft(mask, seen, ground), mask, scale)


def _ground(seen: Floats) -> tuple[Floats, float]:
    """The background's colour (the border's median), and the Lab distance within which four fifths
    of the border lie."""
    border = _border(seen)
    colour = floats(np.median(border, axis=0))
    spread = float(np.percentile(np.linalg.norm(border - colour, axis=1), 80))
    if spread > _PLAIN_LAB:
        raise Refusal(Reason.GARMENT_BACKGROUND_NOT_PLAIN, f"the border spreads {spread:.0f}")
    return colour, spread


def _border(seen: Floats) -> Floats:
    depth = max(2, round(_BORDER * min(seen.shape[:2])))
    sides = (seen[:depth], seen[:, :depth], seen[:, -depth:], seen[-depth:])
    return floats(np.concatenate([side.reshape(-1, 3) for side in sides]))


def _body(seen: Floats, ground: Floats, spread: float) -> Mask:
    """Everything but the background, which is connected to the picture's border."""
    near = _like_ground(seen, ground, spread)
    rim = np.zeros(near.shape, dtype=bool)
    rim[0], rim[:, 0], rim[:, -1] = True, True, True
    rim[-1] = True
    outside = connected_to(near, rim)
    rest = close(~outside, 1)
    distinct = rest & (length(seen - ground) > max(_CLEAR_LAB, 4 * spread))
    return largest(open_(rest, _THREAD_PX) | distinct)


def _like_ground(seen: Floats, ground: Floats, spread: float) -> Mask:
    """Px of the background's colour, or of a soft shadow on it."""
    difference = seen - ground
    near = length(difference) < max(_NEAR_LAB, 2.5 * spread)
    return np.asarray(near | _soft_shadow(difference, seen))


def _soft_shadow(difference: Floats, seen: Floats) -> Mask:
    """Px with a shadow's colour, and without texture or edge."""
    lightness = np.ascontiguousarray(blur(seen[..., 0], 1.0))
    slope = np.hypot(cv2.Sobel(lightness, cv2.CV_32F, 1, 0), cv2.Sobel(lightness, cv2.CV_32F, 0, 1))
    return np.asarray(_shadow_colour(difference) & (slope / 8 < 0.6))


def _shadow_colour(difference: Floats) -> Mask:
    """Px that are darker than the background by up to 16 L, and not more colourful."""
    chroma = np.hypot(difference[..., 1], difference[..., 2])
    darker = (difference[..., 0] < 0) & (difference[..., 0] > -16)
    return np.asarray((chroma < _SHADOW_CHROMA) & darker)


def _without_holes_of_ground(mask: Mask, seen: Floats, ground: Floats, spread: float) -> Mask:
    """Removes enclosed spots of the background's colour: between trouser legs, in an arm's loop.

    Such gaps are tall and narrow; other spots are print in the background's colour.
    """
    near = mask & (length(seen - ground) < max(2.0, 1.5 * spread))
    labels, areas = components(near)
    least = _HOLE_TALL_GH * int(mask.any(axis=1).sum())
    for label in 1 + np.flatnonzero(areas[1:] > _HOLE_SHARE * mask.sum()):
        tall = int((labels == label).any(axis=1).sum())
        if tall < least or not _narrow(tall, int(areas[label])):
            labels[labels == label] = 0
    hole = areas > _HOLE_SHARE * mask.sum()
    hole[0] = False
    return np.asarray(mask & ~hole[labels])


def _without_shaded_gap(mask: Mask, seen: Floats, ground: Floats) -> Mask:
    """Opens narrow gaps up to their tip: between the legs, the background lies in their shadow.

    Removes only px that look like shaded background, unlike the garment on both sides, and that
    continue an open gap upwards.
    """
    shaded = mask & _shadow_colour(seen - ground)
    if not shaded.any():
        return mask
    most = _GAP_WIDE_GW * float(np.ptp(np.flatnonzero(mask.any(axis=0))))
    own = coarse_membrane(seen, shrink(mask & ~shaded, _RIM_PX))
    shaded &= length(seen - own) > 2 * length(seen - ground)
    shaded &= length(own - ground) > 2 * _DISTINCT_LAB
    labels, _ = components(shaded & _between(mask & ~shaded, round(most)))
    below = np.zeros_like(mask)
    below[:-1] = ~mask[1:]
    opened = mask.copy()
    for label in np.unique(labels[below & (labels > 0)]):
        part = labels == label
        if _narrow(int(part.any(axis=1).sum()), int(part.sum())):
            opened &= ~part
    return opened


def _narrow(tall: int, area: int) -> bool:
    return tall > _GAP_TALL * area / tall


def _between(solid: Mask, most: int) -> Mask:
    """Px in a row between two solid px that are at most `most` px apart."""
    line = np.ones((1, max(1, most)), dtype=np.uint8)
    closed = cv2.morphologyEx(solid.astype(np.uint8), cv2.MORPH_CLOSE, line)
    return np.asarray(closed > 0) & ~solid


def _soft(mask: Mask, seen: Floats, ground: Floats) -> Floats:
    """Alpha 0..1 (matting): at the rim, where a px's colour lies between background and garment."""
    inner = shrink(mask, _RIM_PX)
    own = coarse_membrane(seen, inner) - ground
    length2 = np.maximum((own**2).sum(axis=2), 1e-3)
    mixed = np.clip(((seen - ground) * own).sum(axis=2) / length2, 0, 1)
    distinct = smoothstep(_DISTINCT_LAB, 2 * _DISTINCT_LAB, np.sqrt(length2))
    share = np.clip((mixed - 0.35) / 0.55, 0, 1) * distinct + (1 - distinct)
    alpha = np.where(inner, 1.0, share) * mask
    return np.clip(blur(alpha, 0.6), 0, 1)
