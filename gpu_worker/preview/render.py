"""Moves the garment's pixels to where `Worn` says, at the photo's own resolution.

Knows maps and pixels; no body.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gpu_worker.cutout import Garment
from gpu_worker.engine import Pixels
from gpu_worker.planes import Bytes, Floats, floats, membrane, remap, resize, resize_bytes
from gpu_worker.pose.body import Frame
from gpu_worker.preview.worn import Layer

_SHARPER = 1.25  # texture px per photo px: more would alias, less would blur


@dataclass(frozen=True, slots=True)
class Texture:
    """pixels: uint8 (h, w, 3), the garment's colours bled beyond its outline; alpha: float32
    (h, w); scale: texture px per px of the garment's canvas."""

    pixels: Bytes
    alpha: Floats
    scale: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """pixels: float32 (h, w, 3) 0..255; alpha: float32 (h, w)."""

    pixels: Floats
    alpha: Floats


def texture(picture: Pixels, garment: Garment, fitted_scale: float, frame: Frame) -> Texture:
    """The garment's picture at about the resolution at which it will be seen.

    fitted_scale: canvas px per garment px.
    """
    photo_by_picture = fitted_scale * garment.scale / frame.scale
    factor = min(1.0, _SHARPER * photo_by_picture)
    width, height = round(picture.shape[1] * factor), round(picture.shape[0] * factor)
    small = resize_bytes(picture, width, height)
    alpha = resize(garment.alpha, width, height)
    bled = membrane(small, alpha > 0.97)
    solid = np.clip((alpha - 0.8) * 5, 0, 1)[..., None]
    pixels = np.clip(np.round(bled + (small - bled) * solid), 0, 255).astype(np.uint8)
    return Texture(pixels, alpha, width / garment.alpha.shape[1])


def over(below: Drawn, above: Drawn) -> Drawn:
    """One layer over another."""
    pixels = below.pixels + (above.pixels - below.pixels) * above.alpha[..., None]
    return Drawn(floats(pixels), floats(1 - (1 - below.alpha) * (1 - above.alpha)))


def draw_layer(layer: Layer, cloth: Texture, frame: Frame) -> Drawn:
    """One layer's pixels and alpha in the frame's box."""
    x = frame.to_photo((layer.x + 0.5) * cloth.scale - 0.5)
    y = frame.to_photo((layer.y + 0.5) * cloth.scale - 0.5)
    chosen = resize(layer.chosen, cloth.alpha.shape[1], cloth.alpha.shape[0])
    own = floats(cloth.alpha * chosen)
    pixels = floats(cv2.remap(cloth.pixels, x, y, cv2.INTER_LINEAR))
    alpha = remap(own, x, y)
    if not layer.inside.all():
        alpha *= frame.to_photo(layer.inside.astype(np.float32)) > 0.99
    return Drawn(pixels, alpha)
