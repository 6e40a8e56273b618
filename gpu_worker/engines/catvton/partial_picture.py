"""Partial pictures: approximates the VAE's decoder by a linear map, at the latents' own size.

The map is fitted at warm-up by least squares, on patchworks that the loaded VAE encodes itself, so
that no constants are copied from elsewhere. Knows latents and pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gpu_worker.engine import Pixels
from gpu_worker.engines.catvton.framing import Window, lay_back
from gpu_worker.engines.catvton.layout import LATENT_CHANNELS, LATENT_SCALE
from gpu_worker.engines.catvton.model import Model

FITTED_ON = 6  # pictures
SIDE_PX = 128
PATCH_PX = 16  # two latent cells, so that the fit also sees the transition between two patches
ENLARGED = 2  # px of a partial picture for each latent cell, in both directions


class LatentsToRgb:
    """The linear map, cell by cell: rgb in [-1, 1] = latents · slope + offset."""

    def __init__(self, weights: NDArray[np.float64]):
        self._slope, self._offset = weights[:-1], weights[-1]

    @classmethod
    def fit(cls, model: Model) -> LatentsToRgb:
        """Least squares over random patchworks; the seed is fixed."""
        dice = np.random.default_rng(0)
        seen, shown = [], []
        for _ in range(FITTED_ON):
            picture = _patchwork(dice)
            cells = torch.zeros(LATENT_CHANNELS, *(SIDE_PX // LATENT_SCALE,) * 2)
            latents = model.encode(torch.from_numpy(picture), cells).float().cpu().numpy()
            seen.append(latents.reshape(LATENT_CHANNELS, -1).T)
            shown.append(_averaged(picture).reshape(3, -1).T)
        known = np.concatenate(seen).astype(np.float64)
        known = np.hstack([known, np.ones((len(known), 1))])
        weights, *_ = np.linalg.lstsq(known, np.concatenate(shown), rcond=None)
        return cls(weights.astype(np.float64))

    def __call__(self, latents: Tensor) -> Pixels:
        """Scaled latents (4, h, w) -> uint8 (h, w, 3)."""
        cells = latents.float().cpu().numpy().transpose(1, 2, 0)
        rgb = cells @ self._slope + self._offset
        return np.asarray((np.clip(rgb / 2 + 0.5, 0, 1) * 255).round(), dtype=np.uint8)


def _patchwork(dice: np.random.Generator) -> NDArray[np.float32]:
    """(3, SIDE_PX, SIDE_PX) in [-1, 1]: patches of one colour each."""
    count = SIDE_PX // PATCH_PX
    colours = dice.uniform(-1, 1, (3, count, count)).astype(np.float32)
    return np.ascontiguousarray(colours.repeat(PATCH_PX, axis=1).repeat(PATCH_PX, axis=2))


def _averaged(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean colour of each latent cell: (3, h, w) of cells."""
    side = SIDE_PX // LATENT_SCALE
    cells = picture.reshape(3, side, LATENT_SCALE, side, LATENT_SCALE)
    averaged: NDArray[np.float32] = cells.mean(axis=(2, 4))
    return averaged


def in_frame(photo: Pixels, drawn: Pixels, window: Window, paste: Pixels | None) -> Pixels:
    """The drawn window in the photo's own framing, scaled down so that the window is enlarged at
    most twice."""
    scale = min(1.0, ENLARGED * drawn.shape[1] / window.width)
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    small = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR))
    mask = None
    if paste is not None:
        mask = np.asarray(Image.fromarray(paste).resize(size, Image.Resampling.NEAREST))
    return lay_back(small, drawn, window.scaled(scale), mask)
