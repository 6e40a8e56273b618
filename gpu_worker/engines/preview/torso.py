"""The warp between a garment's torso and the body: position, wrapping, bend of the shoulder line.

In closed form in both directions. Knows `Fit`, `Shape` and `Measures`; no pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from gpu_worker.engines.preview.fit import Fit
from gpu_worker.engines.preview.measure import Measures
from gpu_worker.vision.cutout.shape import Shape
from gpu_worker.vision.planes import Floats, Numbers, floats, smoothstep
from gpu_worker.vision.pose.body import Body

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_TIGHTEST = 0.66
_LEAST_WORN_PX = 1.0  # against division by 0, where a row of an odd shape is empty
_OVER_BODY_SW = 0.018
_RAISED_SW, _LOWERED_SW = 0.16, 0.08  # how far the bend at the collar may differ from the shoulder
_NECK_SW = 0.25  # a neck point lies no nearer to the middle


@dataclass(frozen=True, slots=True)
class TorsoMap:
    """The map between garment px (x, y) and body px (bx, by).

    lift: (2, m) how far the shoulder line is bent down at bx = 0, 1, .. px to each side;
    fade_from, fade_to: rows by between which that bend fades to 0.
    """

    shape: Shape
    fit: Fit
    lift: Floats
    fade_from: float
    fade_to: float

    def inverse(self, bx: Floats, by: Floats) -> tuple[Floats, Floats]:
        """Where in the garment each body point comes from: planes x, y in garment px."""
        straight = by - self._lift_at(bx) * self._fade(by)
        y = self.fit.up(straight)
        x = np.empty_like(y)
        for side, chosen in ((0, bx < 0), (1, bx >= 0)):
            worn = self.fit.width_at(side, straight[chosen])
            own = self._own_half(side, y[chosen])
            across = _unwrap(
                np.abs(bx[chosen]) / np.maximum(worn, _LEAST_WORN_PX), worn / (own * self.fit.s)
            )
            x[chosen] = self.shape.axis + (-1 if side == 0 else 1) * across * own
        return floats(x), y

    def forward(self, points: Numbers) -> Floats:
        """Garment px (n, 2) to body px (n, 2)."""
        straight = self.fit.down(points[:, 1])
        bx = np.empty(len(points), dtype=np.float32)
        offset = points[:, 0] - self.shape.axis
        for side, chosen in ((0, offset < 0), (1, offset >= 0)):
            worn = self.fit.width_at(side, straight[chosen])
            own = self._own_half(side, points[chosen, 1])
            across = _wrap(np.abs(offset[chosen]) / own, worn / (own * self.fit.s))
            bx[chosen] = (-1 if side == 0 else 1) * across * worn
        by = straight
        for _ in range(6):  # fixed-point iteration: the bend fades with `by` itself
            by = floats(straight + self._lift_at(bx) * self._fade(by))
        return floats(np.stack([bx, by], axis=1))

    def _own_half(self, side: int, y: Floats) -> Floats:
        half = self.shape.half
        return floats(np.interp(y, np.arange(half.shape[1]), half[side]))

    def _lift_at(self, bx: Floats) -> Floats:
        count = self.lift.shape[1]
        joined = np.concatenate([self.lift[0, ::-1], self.lift[1, 1:]])
        return floats(np.interp(bx, np.arange(-count + 1, count), joined))

    def _fade(self, by: Floats) -> Floats:
        return floats(smoothstep(self.fade_to, self.fade_from, by))


def _angle(compression: Numbers) -> Floats:
    """Half the angle t by which cloth is wrapped around a cylinder: sin(t) / t = compression, to
    second order."""
    return floats(np.sqrt(6 * (1 - np.clip(compression, _TIGHTEST, 1))))


def _wrap(across: Numbers, compression: Numbers) -> Floats:
    """Position on the flat cloth 0..1 to its projection 0..1 after wrapping around a cylinder:
    towards the sides it is compressed."""
    angle = np.maximum(_angle(compression), 1e-3)
    inside = np.sin(angle * np.minimum(across, 1)) / np.sin(angle)
    return floats(inside + np.maximum(across - 1, 0))


def _unwrap(seen: Numbers, compression: Numbers) -> Floats:
    """The inverse of `_wrap`."""
    angle = np.maximum(_angle(compression), 1e-3)
    inside = np.arcsin(np.clip(np.minimum(seen, 1) * np.sin(angle), 0, 1)) / angle
    return floats(inside + np.maximum(seen - 1, 0))


def torso_map(shape: Shape, fit: Fit, body: Measures, contour: Floats | None) -> TorsoMap:
    """The map of a fitted garment. contour: (w,) its first row in each column; None: no bend (a
    bottom has no shoulder line)."""
    fade_from = fit.by0
    fade_to = float(np.mean(fit.down(shape.pit[:, 1]))) + 0.05 * body.tl
    count = int(1.2 * body.sw)
    lift = np.zeros((2, count), dtype=np.float32)
    if contour is not None:
        lift = floats([_lift(shape, fit, body, contour, side, count) for side in (0, 1)])
    return TorsoMap(shape, fit, _joined(lift), fade_from, fade_to)


def _lift(shape: Shape, fit: Fit, body: Measures, contour: Floats, side: int, count: int) -> Floats:
    """The bend: the body's contour minus the garment's, smoothed, as a function of bx."""
    bx = floats(np.arange(count))
    worn = float(fit.width_at(side, fit.by0))
    own = abs(float(shape.shoulder[side, 0]) - shape.axis)
    out = bx / worn * own
    neck = abs(float(shape.neck[side, 0]) - shape.axis)
    out = np.clip(out, neck, max(own, neck + 1))
    x = shape.axis + (-1 if side == 0 else 1) * out
    own_y = np.interp(x, np.arange(len(contour)), contour)
    rest = np.maximum(out / max(own, 1.0) * worn, _NECK_SW * body.sw)
    target = body.top_at(side, rest) - _OVER_BODY_SW * body.sw
    difference = target - fit.down(floats(own_y))
    at_shoulder = float(difference[-1])
    bent = np.clip(
        difference, at_shoulder - _RAISED_SW * body.sw, at_shoulder + _LOWERED_SW * body.sw
    )
    return floats(gaussian_filter1d(bent, 0.04 * body.sw, mode="nearest"))


def _joined(lift: Floats) -> Floats:
    """The bend of both sides, made continuous in the middle."""
    middle = float(lift[:, 0].mean())
    near = np.exp(-np.arange(lift.shape[1]) / (0.12 * lift.shape[1]))
    return floats(lift + (middle - lift[:, :1]) * near)


def body_planes(body: Body, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Planes bx, by: body px of every canvas px."""
    u, v = body.uv(shape)
    return floats(u * body.sw), floats(v * body.tl)


def to_canvas(body: Body, points: Floats) -> Floats:
    """Body px (n, 2) to canvas px."""
    return floats(body.at(0, 0) + points[:, :1] * body.right + points[:, 1:] * body.down)
