"""Finds the front neckline of a top, and with it the inside of the back, which shows above it.

Fits a family of curves to colour edges. Knows colours and the two neck points on the garment's
canvas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter

from gpu_worker.vision.planes import (
    Bytes,
    Floats,
    Mask,
    Numbers,
    blur,
    connected_to,
    coordinates,
    floats,
    grow,
    lab,
    length,
    shrink,
)

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_WIDTHS = (1.0, 0.92, 0.84)
_POWERS = (0.9, 1.1, 1.3, 1.7, 2.2, 3.0)
_SAMPLES = 60
_TOLERANCE_TW = 0.006
_DEEPEST_TW = 0.85
_LEAST_STEP_LAB = 1.3  # Lab per px
_ABOVE_USUAL = 1.5
_CLEAR = 0.42  # of the clearest edge
_SHALLOWEST_TW = 0.05  # of the garment's width
_ROUND_DEEPEST_TW, _V_POWER = 0.45, 1.7  # deeper necklines are V-shaped
_RIM_TW = 0.012  # of the garment's width: edges so near to the outline are no neckline
_TOLERANCES_LAB = (9.0, 6.0, 4.0)  # Lab: how much the inside of a back may vary
_LINING_DEEP_TW, _LINING_LARGE_TW2 = 0.42, 0.16  # of the garment's width; of its square
_CORNER_TW, _CORNERS_SMALL_TW2 = 0.06, 0.012  # of the garment's width; of its square
_MUCH_DARKER_L, _DARK_PRINT_SHARE = 12.0, 0.03  # L; of the chest
_BOWL = 0.55  # of its depth: a lining is higher than this at both ends
_SHALLOW = 0.30  # of the neck's width


@dataclass(frozen=True, slots=True)
class Neckline:
    """The curve y = line + depth * (1 - |x / half|^power), x from the middle of the neck, px.

    tilt: slope of the line between the neck points. found: False if no edge was found and the curve
    is assumed.
    """

    middle: float
    line: float
    half: float
    depth: float
    power: float
    tilt: float
    found: bool

    def at(self, x: Floats) -> Floats:
        """y of the front edge at each x, px; the line itself beyond the neck."""
        across = np.clip(np.abs((x - self.middle) / self.half), 0, 1)
        straight = self.line + self.tilt * (x - self.middle)
        return floats(straight + self.depth * (1 - across**self.power))

    def above(self, shape: tuple[int, ...]) -> Mask:
        """The px above the front edge, between the neck points."""
        xs, ys = coordinates(shape)
        return np.asarray((np.abs(xs - self.middle) < self.half) & (ys < self.at(xs)))


def find_neckline(pixels: Bytes, mask: Mask, necks: Floats, width: float) -> Neckline:
    """The front neckline. necks: (2, 2) left and right neck point; width: of the torso, px."""
    inside = shrink(mask, _RIM_TW * width)
    gradients = _gradients(lab(pixels)) * inside[..., None, None]
    reach = np.arange(-1, 2) * max(1.0, _TOLERANCE_TW * width)
    usual = float(np.percentile(np.linalg.norm(gradients, axis=(2, 3))[inside], 60))
    tried: list[tuple[float, Neckline]] = []
    # A grid search: every shape at every depth.
    for shape in _shapes(necks):
        depths = np.arange(_SHALLOWEST_TW * width, _DEEPEST_TW * width, max(1.0, 0.008 * width))
        scores = _scores(gradients, shape, depths, reach)
        tried += [
            (float(score), replace(shape, depth=float(depth), found=True))
            for score, depth in zip(scores, depths, strict=True)
            if depth < _ROUND_DEEPEST_TW * width or shape.power <= _V_POWER
        ]
    return _deepest(tried, max(_LEAST_STEP_LAB, _ABOVE_USUAL * usual)) or _assumed(mask, necks)


def inside_of_back(pixels: Bytes, mask: Mask, front: Neckline, necks: Floats, width: float) -> Mask:
    """The visible inside of the back: above the front's edge, or farther down where its own plain
    colour continues without an edge (then the front's real edge was too faint to be found).
    """
    above = front.above(mask.shape) & mask
    half = float(necks[1, 0] - necks[0, 0]) / 2
    seen = blur(lab(pixels), 1.0)
    for tolerance in _TOLERANCES_LAB:
        lining = _lining(seen, mask, front, half, width, tolerance)
        edge = None if lining is None else _lower_edge(lining, front, half)
        if edge is not None:
            xs, ys = coordinates(mask.shape)
            inner = (ys < edge[None]) & (np.abs(xs - front.middle) < half)
            above = np.asarray(above | (inner & mask))
            break
    return above | _shaded_corners(seen, mask, above, front, half, width)


def _shaded_corners(
    seen: Floats, mask: Mask, above: Mask, front: Neckline, half: float, width: float
) -> Mask:
    """Px beside the curve that are much darker than the front's edge: corners of the back."""
    xs, ys = coordinates(mask.shape)
    rim = grow(above, _CORNER_TW * width) & mask & ~above & (np.abs(xs - front.middle) < 0.5 * half)
    if not rim.any():
        return np.zeros_like(mask)
    dark = seen[..., 0] < float(np.median(seen[rim][:, 0])) - _MUCH_DARKER_L
    chest = (
        mask & ~above & (ys > front.line + 1.2 * front.depth) & (np.abs(xs - front.middle) < half)
    )
    chest &= ys < front.line + 0.7 * width
    # Where the print is dark a corner may be of it.
    if not chest.any() or float(dark[chest].mean()) > _DARK_PRINT_SHARE:
        return np.zeros_like(mask)
    beside = np.abs(xs - front.middle) < 1.02 * half
    near = grow(above, _CORNER_TW * width) & mask & ~above & beside
    corners = connected_to(near & dark & (ys < front.line + 0.9 * front.depth), grow(above, 2))
    return corners if corners.sum() < _CORNERS_SMALL_TW2 * width**2 else np.zeros_like(mask)


def _lining(
    seen: Floats, mask: Mask, front: Neckline, half: float, width: float, tolerance: float
) -> Mask | None:
    """Region growing from the top of the back in its colour; None if it leaks out."""
    xs, ys = coordinates(mask.shape)
    top = np.argmax(mask, axis=0)[None, :]
    zone = mask & (np.abs(xs - front.middle) < half) & (ys < front.line + _LINING_DEEP_TW * width)
    band = (ys > top + 0.012 * width) & (ys < top + 0.03 * width)
    seeds = zone & band & (np.abs(xs - front.middle) < 0.5 * half)
    if not seeds.any():
        return None
    colour = np.median(seen[seeds], axis=0)
    region = connected_to(zone & (length(seen - colour) < tolerance), seeds)
    lowest = front.line + (_LINING_DEEP_TW - 0.02) * width
    leaks = region.sum() > _LINING_LARGE_TW2 * width**2 or bool(region[int(lowest) :].any())
    return None if leaks or region.sum() < 0.5 * seeds.sum() else region


def _lower_edge(lining: Mask, front: Neckline, half: float) -> Floats | None:
    """(w,) y of the lining's lower edge, smoothed; None if it is not bowl-shaped: then the region
    is a standing collar, or cloth of the front."""
    lowest = lining.shape[0] - 1 - np.argmax(lining[::-1], axis=0)
    xs = np.arange(lining.shape[1], dtype=np.float32) - front.middle
    line = front.line + front.tilt * xs
    edge = np.where(lining.any(axis=0), lowest, line)
    smooth = gaussian_filter1d(median_filter(edge, max(3, round(0.08 * half))), 0.03 * half)
    depth = smooth - line
    for side in (-1, 1):
        end = (side * xs > 0.86 * half) & (side * xs < 0.96 * half)
        if not end.any() or float(np.median(depth[end])) > _BOWL * float(depth.max()):
            return None
    return floats(smooth)


def _deepest(tried: list[tuple[float, Neckline]], least: float) -> Neckline | None:
    """The best of the deepest clear curves: the back's collar has edges too, but higher ones."""
    best = max(score for score, _ in tried)
    if best < least:
        return None
    clear = [(score, curve) for score, curve in tried if score > max(least, _CLEAR * best)]
    deepest = max(curve.depth for _, curve in clear)
    near = [(score, curve) for score, curve in clear if curve.depth > 0.93 * deepest]
    return max(near, key=lambda pair: pair[0])[1]


def _gradients(seen: Floats) -> Floats:
    """(h, w, 2, 3): d/dx and d/dy of Lab per px."""
    smooth = cv2.GaussianBlur(seen, (0, 0), 1.5)
    dx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) / 8
    dy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1) / 8
    return floats(np.stack([dx, dy], axis=2))


def _shapes(necks: Floats) -> list[Neckline]:
    """The curves to try: every width and roundness, still without depth."""
    middle = float(necks[:, 0].mean())
    half = float(necks[1, 0] - necks[0, 0]) / 2
    line = float(necks[:, 1].mean())
    tilt = float(necks[1, 1] - necks[0, 1]) / max(2 * half, 1)
    return [Neckline(middle, line, half * f, 0.0, p, tilt, False) for f in _WIDTHS for p in _POWERS]


def _scores(gradients: Floats, shape: Neckline, depths: Numbers, reach: Numbers) -> Floats:
    """Per depth, the 30th percentile of the colour step across the curve.

    Not the mean, which a sewn-in label would raise. The step may be `reach` px off the curve.
    """
    across = np.linspace(-0.93, 0.93, _SAMPLES)
    xs = shape.middle + shape.half * across
    bow = 1 - np.abs(across) ** shape.power
    ys = shape.line + shape.tilt * (xs - shape.middle) + depths[:, None] * bow
    slope = np.gradient(ys, xs, axis=1)
    steps = [_step_at(gradients, xs, ys + offset, slope) for offset in reach]
    return floats(np.percentile(np.max(steps, axis=0), 30, axis=1))


def _step_at(gradients: Floats, xs: Numbers, ys: Numbers, slope: Numbers) -> Floats:
    rows = np.clip(np.round(ys), 0, gradients.shape[0] - 1).astype(np.int32)
    columns = np.clip(np.round(xs), 0, gradients.shape[1] - 1).astype(np.int32)
    here = gradients[rows, np.broadcast_to(columns, rows.shape)]
    across = here[..., 1, :] - slope[..., None] * here[..., 0, :]
    return floats(np.linalg.norm(across, axis=-1) / np.sqrt(1 + slope**2))


def _assumed(mask: Mask, necks: Floats) -> Neckline:
    """The curve if no edge was found: as deep as the back, or a shallow round neck."""
    middle = float(necks[:, 0].mean())
    half = float(necks[1, 0] - necks[0, 0]) / 2
    line = float(necks[:, 1].mean())
    tilt = float(necks[1, 1] - necks[0, 1]) / max(2 * half, 1)
    back = float(np.argmax(mask[:, round(middle)])) - line
    return Neckline(middle, line, half, max(back, _SHALLOW * 2 * half), 2.2, tilt, False)
