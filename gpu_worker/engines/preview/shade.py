"""Shading: shadows of the garment on the body and of sleeves on the torso, folds, darker edges.

Knows alphas and canvas pixels. All factors are on linear light.
"""

from __future__ import annotations

import numpy as np

from gpu_worker.engines.preview.scene import Zones
from gpu_worker.vision.planes import Bytes, Floats, Mask, blur, distance_inside, floats, lab, shrink
from gpu_worker.vision.pose import Person

GAMMA = 2.2
# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_SLEEVE, _SLEEVE_SW = 0.34, 0.035
_EDGE, _EDGE_SW = 0.16, 0.045
_HAND, _HAND_SW = 0.22, 0.03
_FOLD_FINE_SW, _FOLD_COARSE_SW = 0.014, 0.08
_FOLD = (0.92, 1.04)
_BRIGHTEST = 1.10
_BELOW, _BELOW_SW, _BELOW_SHIFT_SW = 0.38, 0.022, 0.014


def on_garment(pixels: Bytes, person: Person, zone: Zones, torso: Floats, limbs: Floats) -> Floats:
    """(h, w) factor on the garment's light. torso, limbs: alphas of the two on the canvas."""
    sw = person.body.sw
    alpha = floats(1 - (1 - torso) * (1 - limbs))
    factor = _sleeves_on_torso(torso, limbs, sw)
    factor *= 1 - _EDGE * np.exp(-distance_inside(alpha > 0.5) / (_EDGE_SW * sw))
    factor *= _folds(pixels, person.labels, sw)
    factor *= 1 - _HAND * np.clip(blur(zone.front, _HAND_SW * sw) - zone.front, 0, 1) * 1.6
    inside = alpha > 0.5
    # Divided by its mean, so that shading does not darken the garment as a whole.
    mean = float(factor[inside].mean()) if inside.any() else 1.0
    return floats(np.clip(factor / mean, 0, _BRIGHTEST))


def _sleeves_on_torso(torso: Floats, limbs: Floats, sw: float) -> Floats:
    spread = blur(limbs, _SLEEVE_SW * sw)
    return floats(1 - _SLEEVE * np.clip(spread - limbs, 0, 1) * torso)


def _folds(pixels: Bytes, labels: Bytes, sw: float) -> Floats:
    """The folds of the old cloth as a factor. Each label alone: across labels the difference of
    their colours would count as a fold."""
    lightness = lab(pixels)[..., 0] + 5
    factor = np.ones(labels.shape, dtype=np.float32)
    for value in (3, 4):
        inside = shrink(labels == value, 0.02 * sw)
        if inside.any():
            ratio = _local(lightness, inside, sw)
            factor = np.where(inside, np.clip(np.sqrt(ratio), *_FOLD), factor)
    return blur(factor, 0.01 * sw)


def _local(lightness: Floats, inside: Mask, sw: float) -> Floats:
    """Fine by coarse lightness, both averaged over `inside` only."""
    weight = inside.astype(np.float32)
    fine = blur(lightness * weight, _FOLD_FINE_SW * sw) / np.maximum(
        blur(weight, _FOLD_FINE_SW * sw), 1e-3
    )
    coarse = blur(lightness * weight, _FOLD_COARSE_SW * sw) / np.maximum(
        blur(weight, _FOLD_COARSE_SW * sw), 1e-3
    )
    return floats(fine / np.maximum(coarse, 1e-3))


def on_body(alpha: Floats, person: Person, zone: Zones) -> Floats:
    """(h, w) factor on the photo's light: the shadow of the garment's lower edges on the body."""
    sw = person.body.sw
    shift = max(1, round(_BELOW_SHIFT_SW * sw))
    moved = np.zeros_like(alpha)
    moved[shift:] = alpha[:-shift]
    shadow = np.clip(blur(moved, _BELOW_SW * sw) - alpha, 0, 1)
    own = person.person & (zone.y > -0.30 * sw) & ~zone.erased | zone.bare
    return floats(1 - _BELOW * shadow * own)
