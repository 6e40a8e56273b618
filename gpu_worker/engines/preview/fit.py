"""Fits the garment to the body: its scale, its position, and its width at each height.

Knows a garment's `Shape` and a body's `Measures`; draws nothing. Lengths in canvas px along the
body's axes (bx, by from the middle of the shoulders), garment points in px of the garment's canvas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from gpu_worker.contract import Category
from gpu_worker.engines.preview.measure import Measures
from gpu_worker.vision.cutout import Garment
from gpu_worker.vision.cutout.shape import Shape
from gpu_worker.vision.planes import Floats, Numbers, floats, smoothstep

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_EASE = {"sleeved": 1.20, "bare": 1.10, "dress": 1.05}  # the garment's width by the body's
_SHOULDER_SW = 0.57
_SHOULDER_U_SW = 0.48  # sw: where the garment's shoulder point rests on the body
_MIX = (0.97, 1.12)  # bounds of the scale by shoulders, relative to that by the chest
_LARGER = 1.22  # the most that a short garment is enlarged so that it reaches its hem
_LARGER_BARE = 1.40  # more for a vest, which is cut wide and worn close
_KY, _KY_BARE = (0.80, 1.28), (0.80, 1.40)  # bounds of the stretch of the height alone
_HIGHEST_TL, _LOWEST_TL = -0.6, 3.2


@dataclass(frozen=True, slots=True)
class Fit:
    """The linear part of the map between garment px (x, y) and body px (bx, by).

    s: canvas px per garment px; ky: additional stretch of the height; y0, by0: the same row in
    garment and body; widths: (2, n) worn half width at rows by = first_y + i px, read by
    `width_at`.
    """

    s: float
    ky: float
    y0: float
    by0: float
    first_y: float
    widths: Floats

    def down(self, y: Numbers | float) -> Floats:
        return floats(self.by0 + (np.asarray(y) - self.y0) * self.s * self.ky)

    def up(self, by: Numbers | float) -> Floats:
        return floats(self.y0 + (np.asarray(by) - self.by0) / (self.s * self.ky))

    def width_at(self, side: int, by: Numbers | float) -> Floats:
        index = np.asarray(by) - self.first_y
        return floats(np.interp(index, np.arange(self.widths.shape[1]), self.widths[side]))


def fit(garment: Garment, body: Measures, waist: float) -> Fit:
    """Fits a garment of any category. waist: v in tl of the line between worn top and bottom."""
    if garment.category is Category.LOWER:
        return _fit_lower(garment.shape, body, waist)
    return _fit_top(garment, body, waist)


def _fit_top(garment: Garment, body: Measures, waist: float) -> Fit:
    """Fits a top or an overall: its shoulder line at the shoulders, its hem where it should end."""
    shape = garment.shape
    kind = _kind(garment)
    s = _scale(shape, body, _EASE[kind])
    y0 = float(shape.shoulder[:, 1].mean())
    by0 = float(np.mean([body.top_at(side, _SHOULDER_U_SW * body.sw) for side in (0, 1)]))
    s, ky = _length(garment, body, waist, s, y0, by0)
    first_y = _HIGHEST_TL * body.tl
    bare = Fit(s, ky, y0, by0, first_y, np.zeros((2, 1), dtype=np.float32))
    widths = floats([_top_widths(shape, body, bare, kind, side) for side in (0, 1)])
    return Fit(s, ky, y0, by0, first_y, widths)


def _kind(garment: Garment) -> str:
    if garment.category is Category.OVERALL:
        return "dress"
    return "sleeved" if garment.shape.sleeved else "bare"


def _scale(shape: Shape, body: Measures, ease: float) -> float:
    """Canvas px per garment px: the mean of the scales by chest and (bounded) by shoulders."""
    below = round(float(shape.pit[:, 1].mean()) + 0.02 * (shape.hem - shape.top))
    chest = float(np.mean([body.half_at(side, 0.28 * body.tl) for side in (0, 1)]))
    s = ease * chest / float(shape.half[:, below].mean())
    shoulders = float(np.abs(shape.shoulder[:, 0] - shape.axis).mean())
    by_shoulders = _SHOULDER_SW * body.sw / max(shoulders, 1.0)
    return (s + float(np.clip(by_shoulders, _MIX[0] * s, _MIX[1] * s))) / 2


def _length(
    garment: Garment, body: Measures, waist: float, s: float, y0: float, by0: float
) -> tuple[float, float]:
    """Scale and stretch with which the hem is where such a garment usually ends."""
    shape = garment.shape
    end = shape.hem
    if shape.legged:
        low, high, end = _CROTCH_TL, _CROTCH_TL, shape.fork
    elif garment.category is Category.OVERALL:
        low, high = 1.25, 2.6
    else:
        low, high = max(1.0, min(waist + 0.12, 1.25)), 1.38
    long = end - y0
    wanted = float(np.clip((by0 + long * s) / body.tl, low, high)) * body.tl - by0
    most = _LARGER if shape.sleeved else _LARGER_BARE
    larger = float(np.clip(wanted / (long * s), 1.0, most))
    s *= larger
    low_ky, high_ky = _KY if shape.sleeved else _KY_BARE
    return s, float(np.clip(wanted / (long * s), low_ky, high_ky))


def _top_widths(shape: Shape, body: Measures, place: Fit, kind: str, side: int) -> Floats:
    """Worn half width per row: below the arm pit by the body, above it by the shoulders."""
    rows = floats(np.arange(place.first_y, _LOWEST_TL * body.tl))
    flat = _flat(shape, place, side, rows)
    pit = float(place.down(float(shape.pit[side, 1])))
    below = _below_pit(rows, flat, body, kind, side, pit, shape.legged)
    at_pit = float(np.interp(pit, rows, below)) / max(float(np.interp(pit, rows, flat)), 1.0)
    at_shoulder = _shoulder_ratio(shape, place, body, kind, side)
    blend = smoothstep(place.by0, pit, rows)
    above = flat * (at_shoulder + (at_pit - at_shoulder) * blend)
    return floats(gaussian_filter1d(np.where(rows < pit, above, below), 0.03 * body.tl))


def _flat(shape: Shape, place: Fit, side: int, rows: Numbers) -> Floats:
    """The garment's own (flat) half width at body rows, canvas px."""
    y = place.up(rows)
    return floats(place.s * np.interp(y, np.arange(shape.half.shape[1]), shape.half[side]))


def _below_pit(
    rows: Numbers, flat: Numbers, body: Measures, kind: str, side: int, pit: float, legged: bool
) -> Floats:
    """Worn half width below the arm pit: by the body, loose, and so wide that no old top shows."""
    half = body.half_at(side, rows)
    low = 1.12 if kind == "sleeved" else 1.05
    loose = np.interp(rows / body.tl, (0.3, 1.0, 1.3), (1.16, 1.26, 1.36))
    width = np.clip(0.90 * flat, low * half, loose * half)
    first, last = (-0.02, 0.14) if kind == "sleeved" else (-0.05, 0.06)
    ramp = smoothstep(pit + first * body.tl, pit + last * body.tl, rows)
    cover = np.where(rows < 1.1 * body.tl, body.cover_at(side, rows) + 0.02 * body.sw, 0)
    width = np.maximum(width, cover * ramp)
    if legged:
        return floats(np.clip(width, 0, np.interp(rows / body.tl, (0.9, 1.1), (9, 1.14)) * half))
    return _hanging(rows, flat, width, half, body)


def _hanging(rows: Numbers, flat: Numbers, width: Numbers, half: Numbers, body: Measures) -> Floats:
    """Below the hips a skirt hangs freely: its own flare, scaled to its width at the hips."""
    hips = _HIP_TL * body.tl
    ratio = float(np.interp(hips, rows, width) / max(float(np.interp(hips, rows, flat)), 1.0))
    hung = np.maximum(ratio * flat, np.minimum(1.02 * half, width))
    blend = smoothstep(hips, hips + 0.15 * body.tl, rows)
    return floats(width + (hung - width) * blend)


def _shoulder_ratio(shape: Shape, place: Fit, body: Measures, kind: str, side: int) -> float:
    own = place.s * abs(float(shape.shoulder[side, 0]) - shape.axis)
    low, high = (0.54, 0.60) if shape.sleeved else (0.30, 0.52)
    return float(np.clip(own, low * body.sw, high * body.sw)) / max(own, 1.0)


_CROTCH_TL = 1.24
_HIP_TL = 1.05
_HIP_EASE = 1.06


def _fit_lower(shape: Shape, body: Measures, waist: float) -> Fit:
    """Fits a bottom: its waistband at the waist, or under the hem of a top that hangs over it."""
    by0 = min(waist - 0.05, 0.92, body.bottom_from) * body.tl
    hip_row = round(shape.top + 0.5 * (float(shape.pit[:, 1].mean()) - shape.top))
    hips = float(np.mean([body.half_at(side, _HIP_TL * body.tl) for side in (0, 1)]))
    s = _HIP_EASE * hips / float(shape.half[:, hip_row].mean())
    ky = 1.0
    if shape.legged:
        wanted = _CROTCH_TL * body.tl - by0
        ky = float(np.clip(wanted / (s * (float(shape.pit[0, 1]) - shape.top)), 0.7, 1.6))
    first_y = _HIGHEST_TL * body.tl
    place = Fit(s, ky, shape.top, by0, first_y, np.zeros((2, 1), dtype=np.float32))
    rows = floats(np.arange(first_y, _LOWEST_TL * body.tl))
    widths = [_lower_widths(shape, place, body, rows, side) for side in (0, 1)]
    return Fit(s, ky, shape.top, by0, first_y, floats(widths))


def _lower_widths(shape: Shape, place: Fit, body: Measures, rows: Numbers, side: int) -> Floats:
    flat = _flat(shape, place, side, rows)
    half = body.half_at(side, rows)
    most = (1.08, 1.12, 1.14, 1.14) if shape.legged else (1.08, 1.16, 1.5, 2.2)
    loose = np.interp(rows / body.tl, (0.8, 1.1, 1.3, 2.0), most)
    width = np.clip(flat, 1.03 * half, loose * half)
    return floats(gaussian_filter1d(width, 0.03 * body.tl))
