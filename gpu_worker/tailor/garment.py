"""Cleans a garment's picture: cuts it from a plain background, finds its parts. No shoppers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_worker.contract import EventType
from gpu_worker.engine import Parts, Pixels, Refusal
from gpu_worker.tailor.orders import Fitted, GarmentOrder
from gpu_worker.vision import cutout, images

CUTOUT_SIDE_PX = 512
_MARGIN = 0.04  # around the cut-out, of its longer side
_GROUNDS = ((255, 255, 255), (128, 128, 128), (0, 0, 0), (0, 160, 80))

Alpha = NDArray[np.uint8]


def fit_garment(order: GarmentOrder) -> Fitted:
    """The garment, its parts and its cut-out.

    Without `clean` the picture is accepted as it is, and has parts only if they are found.

    Raises:
        Refusal: only with `clean`: somebody wears it, the background is not plain, nothing found.
    """
    pixels = order.pixels if order.alpha is None else _on_plain_ground(order.pixels, order.alpha)
    parts = _parts(order, pixels)
    alpha = order.alpha if order.alpha is not None else _alpha(parts, pixels)
    height, width = pixels.shape[:2]
    screen = _for_the_screen(pixels, alpha, _ground(pixels))
    return Fitted(EventType.READY, {"width": width, "height": height}, pixels, parts, screen)


def _parts(order: GarmentOrder, pixels: Pixels) -> Parts:
    try:
        return cutout.read_garment(pixels, order.category)
    except Refusal:
        if order.clean:
            raise
        return {}


def _on_plain_ground(on_white: Pixels, alpha: Alpha) -> Pixels:
    """A transparent picture on that plain background which differs most from its median colour."""
    body = np.median(on_white[alpha > 127].reshape(-1, 3), axis=0) if alpha.any() else np.zeros(3)
    ground = max(_GROUNDS, key=lambda colour: float(np.linalg.norm(body - np.array(colour))))
    lift = (np.array(ground, dtype=np.float32) - 255) * (1 - alpha[:, :, None] / np.float32(255))
    return np.clip(np.rint(on_white + lift), 0, 255).astype(np.uint8)


def _alpha(parts: Parts, pixels: Pixels) -> Alpha:
    """The cut-out's alpha at the picture's size; all opaque if nothing was cut."""
    height, width = pixels.shape[:2]
    if "alpha" not in parts:
        return np.full((height, width), 255, dtype=np.uint8)
    small = np.asarray(parts["alpha"], dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _ground(pixels: Pixels) -> NDArray[np.float32]:
    """The colour around the garment: the border's median."""
    sides = (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:])
    border = np.concatenate([side.reshape(-1, 3) for side in sides])
    return np.asarray(np.median(border, axis=0), dtype=np.float32)


def _for_the_screen(pixels: Pixels, alpha: Alpha, ground: NDArray[np.float32]) -> Alpha:
    """uint8 (h, w, 4), cropped to the garment, at most 512 px; the background's colour is taken out
    of the soft edge."""
    box = _box(alpha)
    share = alpha[box][:, :, None] / np.float32(255)
    colour = (pixels[box] - ground * (1 - share)) / np.maximum(share, 1 / 255)
    full = np.dstack([np.clip(colour, 0, 255).astype(np.uint8), alpha[box]])
    return images.bounded(full, CUTOUT_SIDE_PX)


def _box(alpha: Alpha) -> tuple[slice, slice]:
    ys, xs = np.nonzero(alpha > 8)
    if not len(ys):
        return slice(0, alpha.shape[0]), slice(0, alpha.shape[1])
    margin = round(_MARGIN * max(np.ptp(ys), np.ptp(xs)))
    top, left = max(0, int(ys.min()) - margin), max(0, int(xs.min()) - margin)
    return slice(top, int(ys.max()) + margin + 1), slice(left, int(xs.max()) + margin + 1)
