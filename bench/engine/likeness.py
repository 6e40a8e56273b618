"""Similarity of two arrays: PSNR, and SSIM as published by Wang et al. (2004), by scikit-image.

Not LPIPS, which would need downloaded weights. Knows arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

SIGMA = 1.5


def psnr(ours: NDArray[Any], reference: NDArray[Any], span: float) -> float:
    """Decibels; infinite for the same array. span: of the values, 255 for uint8 pictures."""
    if np.array_equal(ours, reference):
        return float("inf")
    return float(peak_signal_noise_ratio(reference, ours, data_range=span))


def ssim(ours: NDArray[Any], reference: NDArray[Any], span: float) -> float:
    """The mean over px and channels of (h, w, c); 1 for the same array."""
    return float(
        structural_similarity(
            *(np.atleast_3d(array).astype(np.float64) for array in (reference, ours)),
            data_range=span,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=SIGMA,
            use_sample_covariance=False,
        )
    )
