"""Texture mapping: warps the garment's pixels by the maps of `Worn`, on the canvas or in a strip of
the photo.

Knows maps and pixels; no body.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gpu_worker.engine import Pixels
from gpu_worker.engines.preview.strips import Strip
from gpu_worker.engines.preview.worn import Layer
from gpu_worker.vision.cutout import Garment
from gpu_worker.vision.planes import Bytes, Floats, floats, membrane, remap, resize, resize_bytes
from gpu_worker.vision.pose.body import Frame

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_SHARPER = 1.25  # texture px per photo px: more would alias, less would blur
_BLED_PX = 256  # size at which colours are continued outwards: there is no detail in them
_SURELY_INSIDE = 0.99


@dataclass(frozen=True, slots=True)
class Texture:
    """The garment's picture as a texture. pixels: uint8 (h, w, 3), colours continued beyond the
    outline; alpha: float32 (h, w); scale: texture px per px of the garment's canvas."""

    pixels: Bytes
    alpha: Floats
    scale: float


@dataclass(frozen=True, slots=True)
class Printed:
    """One layer's texture and map. pixels: uint8 (h, w, 4), colours and alpha; x, y: float32 planes
    on the canvas, texture px; inside: float32 on the canvas, None: the map is valid everywhere."""

    pixels: Bytes
    x: Floats
    y: Floats
    inside: Floats | None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A rendered layer. pixels: float32 (h, w, 3) 0..255; alpha: float32 (h, w)."""

    pixels: Floats
    alpha: Floats


def texture(picture: Pixels, garment: Garment, fitted_scale: float, frame: Frame) -> Texture:
    """The garment's picture at about the resolution at which it will be shown.

    fitted_scale: canvas px per garment px.
    """
    photo_by_picture = fitted_scale * garment.scale / frame.scale
    factor = min(1.0, _SHARPER * photo_by_picture)
    width, height = round(picture.shape[1] * factor), round(picture.shape[0] * factor)
    small = resize_bytes(picture, width, height)
    alpha = resize(garment.alpha, width, height)
    solid = floats(np.clip((alpha - 0.8) * 5, 0, 1))
    pixels = cv2.blendLinear(small, _bled(small, alpha), solid, 1 - solid)
    return Texture(np.asarray(pixels, np.uint8), alpha, width / garment.alpha.shape[1])


def _bled(pixels: Bytes, alpha: Floats) -> Bytes:
    """The garment's colours continued beyond its outline, so that interpolation at its edge takes
    in no background."""
    height, width = alpha.shape
    factor = min(1.0, _BLED_PX / max(height, width))
    size = (max(8, round(width * factor)), max(8, round(height * factor)))
    weight = (alpha > 0.97).astype(np.float32)
    share = resize(weight, *size)
    known = resize(pixels * weight[..., None], *size) / np.maximum(share, 1e-3)[..., None]
    bled = membrane(known, share)
    return resize_bytes(np.clip(np.round(bled), 0, 255).astype(np.uint8), width, height)


def printed(layer: Layer, cloth: Texture) -> Printed:
    """A layer with its part of the texture."""
    chosen = resize(layer.chosen, cloth.alpha.shape[1], cloth.alpha.shape[0])
    own = np.round(cloth.alpha * chosen * 255).astype(np.uint8)
    x, y = (floats((plane + 0.5) * cloth.scale - 0.5) for plane in (layer.x, layer.y))
    inside = None if layer.inside.all() else layer.inside.astype(np.float32)
    return Printed(np.dstack([cloth.pixels, own]), x, y, inside)


def alpha_on_canvas(layer: Layer, garment: Garment, fitted_scale: float) -> Floats:
    """float32 (h, w) 0..1: the layer's alpha on the canvas."""
    factor = min(1.0, _SHARPER * fitted_scale)
    height, width = (max(1, round(side * factor)) for side in garment.alpha.shape)
    own = resize(garment.alpha * layer.chosen, width, height)
    scale = np.float32(width / garment.alpha.shape[1])
    alpha = remap(own, (layer.x + 0.5) * scale - 0.5, (layer.y + 0.5) * scale - 0.5)
    return floats(alpha * layer.inside)


def draw_layer(layer: Printed, strip: Strip) -> Drawn:
    """One layer's pixels and alpha in a strip of the photo."""
    seen = cv2.remap(layer.pixels, strip.of(layer.x), strip.of(layer.y), cv2.INTER_LINEAR)
    alpha = floats(seen[..., 3]) / np.float32(255)
    if layer.inside is not None:
        alpha *= strip.of(layer.inside) > _SURELY_INSIDE
    return Drawn(floats(seen[..., :3]), alpha)


def over(below: Drawn, above: Drawn) -> Drawn:
    """The `over` operator: one layer over another; not premultiplied."""
    alpha = floats(1 - (1 - below.alpha) * (1 - above.alpha))
    share = floats(above.alpha / np.maximum(alpha, 1e-3))
    return Drawn(mixed(below.pixels, above.pixels, share), alpha)


def mixed(below: Floats, above: Floats, share: Floats) -> Floats:
    """Linear interpolation: `below` where share is 0, `above` where it is 1. (h, w, 3) each, share
    (h, w)."""
    return floats(below + (above - below) * cv2.merge([share, share, share]))


def times(pixels: Floats, factor: Floats) -> Floats:
    """pixels (h, w, 3) times factor (h, w)."""
    return floats(pixels * cv2.merge([factor, factor, factor]))
