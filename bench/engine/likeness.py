"""How alike two arrays are: SSIM (Wang et al. 2004, Gaussian window of sigma 1.5) and PSNR.

LPIPS would need weights from the network. Knows arrays.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIGMA = 1.5
K1, K2 = 0.01, 0.03


def psnr(ours: NDArray[Any], reference: NDArray[Any], span: float) -> float:
    """Decibels; infinite for the same array. span: of the values, 255 for uint8 pictures."""
    error = float(np.mean((ours.astype(np.float64) - reference.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(span**2 / error))


def ssim(ours: NDArray[Any], reference: NDArray[Any], span: float) -> float:
    """The mean over px and channels of (h, w, c); 1 for the same array."""
    a, b = (np.atleast_3d(array).astype(np.float64) for array in (ours, reference))
    each = [_ssim(a[..., c], b[..., c], span) for c in range(a.shape[-1])]
    return float(np.mean(each))


def _ssim(a: NDArray[Any], b: NDArray[Any], span: float) -> float:
    mean_a, mean_b = _blurred(a), _blurred(b)
    var_a, var_b = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2
    both = _blurred(a * b) - mean_a * mean_b
    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    likeness = ((2 * mean_a * mean_b + c1) * (2 * both + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    )
    return float(likeness.mean())


def _blurred(plane: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(cv2.GaussianBlur(plane, (11, 11), SIGMA))
