"""Finds the front neckline of a top: what lies above it is the inside of the back.

Knows colours and the two neck points on the garment's canvas.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gpu_worker.planes import Bytes, Floats, Mask, floats, lab, shrink

_WIDTHS = (1.0, 0.84)
_POWERS = (0.9, 1.1, 1.3, 1.7, 2.2, 3.0)
_SAMPLES = 60
_DEEPEST = 0.85  # of the garment's width
_LEAST_STEP = 2.5  # Lab per px
_ABOVE_USUAL = 1.5
_RIM = 0.012  # of the garment's width: the outline is no neckline
_SHALLOW = 0.30  # of the neck's width


@dataclass(frozen=True, slots=True)
class Neckline:
    """y = line + depth * (1 - |x / half|^power), x from the middle of the neck, px.

    found: whether an edge in the picture says so.
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
        ys, xs = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
        return np.asarray((np.abs(xs - self.middle) < self.half) & (ys < self.at(xs)))


def find_neckline(pixels: Bytes, mask: Mask, necks: Floats, width: float) -> Neckline:
    """necks: (2, 2) left and right neck point; width: of the torso, px."""
    inside = shrink(mask, _RIM * width)
    gradients = _gradients(lab(pixels)) * inside[..., None, None]
    best_score, best = -1.0, None
    for candidates in _candidates(necks, width):
        scores = [_score(gradients, candidate) for candidate in candidates]
        index = int(np.argmax(scores))
        if scores[index] > best_score:
            best_score, best = scores[index], candidates[index]
    usual = float(np.percentile(np.linalg.norm(gradients, axis=(2, 3))[inside], 60))
    if best is not None and best_score > max(_LEAST_STEP, _ABOVE_USUAL * usual):
        return best
    return _assumed(mask, necks)


def _gradients(seen: Floats) -> Floats:
    """(h, w, 2, 3): d/dx and d/dy of Lab per px."""
    smooth = cv2.GaussianBlur(seen, (0, 0), 1.0)
    dx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) / 8
    dy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1) / 8
    return floats(np.stack([dx, dy], axis=2))


def _candidates(necks: Floats, width: float) -> list[list[Neckline]]:
    middle = float(necks[:, 0].mean())
    half = float(necks[1, 0] - necks[0, 0]) / 2
    line = float(necks[:, 1].mean())
    tilt = float(necks[1, 1] - necks[0, 1]) / max(2 * half, 1)
    depths = np.arange(0.10 * 2 * half, _DEEPEST * width, max(1.0, 0.008 * width))
    return [
        [Neckline(middle, line, half * f, float(d), p, tilt, True) for d in depths]
        for f in _WIDTHS
        for p in _POWERS
    ]


def _score(gradients: Floats, curve: Neckline) -> float:
    """30th percentile of the colour step across the curve: a mean is fooled by a label."""
    xs = floats(curve.middle + curve.half * np.linspace(-0.93, 0.93, _SAMPLES))
    ys = curve.at(xs)
    slope = np.gradient(ys, xs)
    rows = np.clip(np.round(ys), 0, gradients.shape[0] - 1).astype(np.int32)
    columns = np.clip(np.round(xs), 0, gradients.shape[1] - 1).astype(np.int32)
    here = gradients[rows, columns]
    across = (here[:, 1] - slope[:, None] * here[:, 0]) / np.sqrt(1 + slope[:, None] ** 2)
    return float(np.percentile(np.linalg.norm(across, axis=1), 30))


def _assumed(mask: Mask, necks: Floats) -> Neckline:
    """No edge found: as deep as the back is, or a shallow round neck."""
    middle = float(necks[:, 0].mean())
    half = float(necks[1, 0] - necks[0, 0]) / 2
    line = float(necks[:, 1].mean())
    tilt = float(necks[1, 1] - necks[0, 1]) / max(2 * half, 1)
    back = float(np.argmax(mask[:, round(middle)])) - line
    return Neckline(middle, line, half, max(back, _SHALLOW * 2 * half), 2.2, tilt, False)
