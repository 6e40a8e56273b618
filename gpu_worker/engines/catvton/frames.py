"""CatVTON's published preprocessing: pictures in, float arrays of the model's size out.

Pure Pillow and numpy. `framing.py` chooses which window of a photo the model sees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
WHITE = (255, 255, 255)


def pad_white(picture: Image.Image, width_px: int, height_px: int) -> Image.Image:
    """The whole picture, letterboxed on white to the target's size; its ratio is kept."""
    w, h = picture.size
    if w * height_px < width_px * h:
        new_w, new_h = w * height_px // h, height_px
    else:
        new_w, new_h = width_px, h * width_px // w
    canvas = Image.new("RGB", (width_px, height_px), WHITE)
    fitted = picture.resize((new_w, new_h), Image.Resampling.LANCZOS)
    canvas.paste(fitted, ((width_px - new_w) // 2, (height_px - new_h) // 2))
    return canvas


def to_model(picture: Image.Image) -> Floats:
    """RGB picture -> float32 (3, h, w) in [-1, 1], contiguous (a strided view alters the VAE's
    result a little)."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float32)
    return np.ascontiguousarray((pixels / 127.5 - 1.0).transpose(2, 0, 1))


def mask_to_model(mask: Image.Image) -> Floats:
    """Grey picture -> float32 (1, h, w): 1 = repaint, from half grey up."""
    grey = np.asarray(mask.convert("L"), dtype=np.float32) / 255.0
    return (grey >= 0.5).astype(np.float32)[None]


def to_pixels(decoded: Floats) -> NDArray[np.uint8]:
    """float32 (3, h, w) in [-1, 1], clamped -> uint8 (h, w, 3), rounded."""
    unit = np.clip(decoded / 2 + 0.5, 0.0, 1.0)
    return np.asarray((unit * 255).round(), dtype=np.uint8).transpose(1, 2, 0)
