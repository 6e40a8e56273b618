"""Composites the layers onto the photo, at the photo's own resolution.

Knows planes and layers; no person, no garment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from gpu_worker.engine import Pixels
from gpu_worker.engines.preview.render import Drawn, Printed, draw_layer, mixed, over, times
from gpu_worker.engines.preview.shade import GAMMA
from gpu_worker.engines.preview.strips import Strip, strips
from gpu_worker.vision.planes import Bytes, Floats, Mask, floats
from gpu_worker.vision.pose.body import Frame

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_BACK_DARKER = 0.8


@dataclass(frozen=True, slots=True)
class Planes:
    """Planes on the canvas.

    fill: (h, w, 3) the colours that replace the photo, by weight: (h, w) 0..1.
    shadow, light: factors on the light of the photo and of the garment.
    hidden: 0..1, how far something in front hides the garment.
    behind: 0..1, where the inside of the back may show.
    touched: px that may change; all others stay.
    """

    fill: Floats
    weight: Floats
    shadow: Floats
    light: Floats
    hidden: Floats
    behind: Floats
    touched: Mask


@dataclass(frozen=True, slots=True)
class Layers:
    """The garment's layers, from back to front: inside of the back, torso with legs, sleeves."""

    back: Printed | None
    torso: tuple[Printed, ...]
    sleeves: tuple[Printed, ...]


def compose(photo: Pixels, frame: Frame, planes: Planes, layers: Layers) -> Pixels:
    """The photo with the garment on it. Outside `touched` it is the photo, bit for bit."""
    pixels = photo.copy()
    shadow, light = _on_values(planes.shadow), _on_values(planes.light)
    for strip in strips(frame, planes.touched):
        own = strip.photo(photo)
        under = _without_old(own, strip, planes, shadow)
        visible = 1 - strip.of(planes.hidden)
        if layers.back is not None:
            under = _with_back(under, layers.back, strip, planes, visible)
        seen = _garment(layers, strip)
        lit = times(seen.pixels, strip.of(light))
        out = mixed(under, lit, floats(seen.alpha * visible))
        strip.photo(pixels)[...] = _rounded(out)
    return pixels


def _on_values(factor: Floats) -> Floats:
    """A factor on linear light as a factor on sRGB values, which are about light ** (1 / 2.2)."""
    return floats(np.maximum(factor, 0) ** np.float32(1 / GAMMA))


def _without_old(own: Bytes, strip: Strip, planes: Planes, shadow: Floats) -> Floats:
    """The photo without the old garment, with the new one's shadow."""
    under = floats(own)
    weight = strip.of(planes.weight)
    if weight.any():
        under = mixed(under, strip.of(planes.fill), weight)
    factor = strip.of(shadow)
    return under if (factor == 1).all() else times(under, factor)


def _with_back(
    under: Floats, back: Printed, strip: Strip, planes: Planes, visible: Floats
) -> Floats:
    """Adds the inside of the back, a little darker, where it shows beside the neck."""
    drawn = draw_layer(back, strip)
    share = floats(drawn.alpha * strip.of(planes.behind) * visible)
    return mixed(under, drawn.pixels * np.float32(_BACK_DARKER), share) if share.any() else under


def _garment(layers: Layers, strip: Strip) -> Drawn:
    return reduce(over, [draw_layer(layer, strip) for layer in (*layers.torso, *layers.sleeves)])


def _rounded(pixels: Floats) -> Bytes:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
