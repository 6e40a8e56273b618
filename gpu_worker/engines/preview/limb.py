"""Maps sleeves and trouser legs along a limb: ruled surfaces between two edge curves.

Every function looks at the image-left limb; the caller mirrors for the other. Points are canvas
px, garment points px of the garment's canvas. Knows the torso's map for the seam; no pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from gpu_worker.vision.cutout.sleeves import SAMPLES, resample
from gpu_worker.vision.planes import Floats, Mask, Numbers, floats, remap

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
ARM_SW = (0.165, 0.15, 0.125, 0.085)  # usual half widths of a limb, evenly along it, in sw
LEG_SW = (0.25, 0.21, 0.165, 0.105)
_POINTS = 80  # samples of a limb's middle line
_STEADY_POINTS = 4  # points
_OUTER, _INNER = (0.80, 1.30), (0.85, 1.35)  # bounds of the measured width by the usual one
_EITHER = (0.10, 2.0)
_LONG = 0.72  # of the limb's length: a sleeve that reaches so far counts as long
_WORN_LENGTH = 0.90  # of the flat length: around the shoulder some of it is lost
_COLUMNS = 15
_OVER_EDGE = 0.12
_INSIDE_TORSO_ROWS = 2
_BEYOND_END_ROWS = 3
_SEAM_FADE_SW = 0.40
_OUTER_FADE_SW, _INNER_FADE_SW = 0.22, 0.60
_EASE_SW = 0.012

Forward = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Limb:
    """A limb's middle line and widths: line (n, 2); normal (n, 2) outwards; at (n,) px along it;
    outer and inner (n,) px from the line to the limb's edges; model (n,) px, the usual width."""

    line: Floats
    normal: Floats
    at: Floats
    outer: Floats
    inner: Floats
    model: Floats

    @property
    def length(self) -> float:
        return float(self.at[-1])

    def point(self, t: Numbers) -> Floats:
        return _along(self.line, self.at, t)

    def out(self, t: Numbers) -> Floats:
        return _along(self.normal, self.at, t)

    def project(self, point: Floats) -> float:
        """px along the line of its point nearest to `point`."""
        return float(self.at[int(np.argmin(np.hypot(*(self.line - point).T)))])


@dataclass(frozen=True, slots=True)
class Patch:
    """Corresponding grids (rows, columns, 2) in garment and canvas. end: where the garment ends, px
    along the limb; long: whether it reaches the wrist or ankle."""

    source: Floats
    target: Floats
    end: float
    long: bool


def _along(values: Floats, at: Floats, t: Numbers) -> Floats:
    return floats(np.stack([np.interp(t, at, values[:, axis]) for axis in (0, 1)], axis=-1))


def limb(
    joints: Floats,
    mask: Mask,
    inner_mask: Mask,
    model_sw: tuple[float, ...],
    sw: float,
) -> Limb:
    """Measures a limb. joints: (3, 2) shoulder, elbow, wrist (or hip, knee, ankle) at the image's
    left; mask: the person, for the outer edge; inner_mask: the limb's own px, for the inner edge;
    model_sw: usual half widths along it, in sw."""
    line = floats(resample(joints, _POINTS))
    line = floats(gaussian_filter1d(line, 3.0, axis=0, mode="nearest"))
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-6)[:, None]
    normal = floats(np.stack([-tangent[:, 1], tangent[:, 0]], axis=1))
    at = floats(np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))]))
    model = np.interp(np.linspace(0, 1, _POINTS), np.linspace(0, 1, 4), model_sw) * sw
    outer = _width(mask, line, normal, model, _OUTER)
    inner = _width(inner_mask, line, floats(-normal), model, _INNER)
    return Limb(line, normal, at, outer, inner, floats(model))


def bared(along: Limb, skin: Mask, start: float) -> Limb:
    """The limb with the width of its skin from `start` on, and before that the width at `start`.

    Each edge is measured from the bone's line, which may be far from the middle of the limb.
    """
    first = int(np.searchsorted(along.at, start))
    outer = _width(skin, along.line, along.normal, along.model, _EITHER, first)
    inner = _width(skin, along.line, floats(-along.normal), along.model, _EITHER, first)
    return replace(along, outer=outer, inner=inner)


def _width(
    mask: Mask,
    line: Floats,
    normal: Floats,
    model: Numbers,
    bounds: tuple[float, float],
    first: int = 0,
) -> Floats:
    """Width from the line along the normal to the mask's edge, bounded by the model; for points
    before `first` the median of the next few."""
    steps = floats(np.arange(0, bounds[1] * float(model.max()) + 2))
    x = floats(line[:, :1] + normal[:, :1] * steps)
    y = floats(line[:, 1:] + normal[:, 1:] * steps)
    outside = remap(mask.astype(np.float32), x, y) < 0.5
    outside[:, -1] = True
    width = np.clip(np.argmax(outside, axis=1), bounds[0] * model, bounds[1] * model)
    width[:first] = np.median(width[first : first + _STEADY_POINTS]) if first else width[:first]
    return floats(gaussian_filter1d(width, 4.0 if not first else 1.5, mode="nearest"))


def reach(edges: Floats, limb_: Limb, forward: Forward, scale: float) -> float:
    """Where the sleeve would end by its own length, as a share of the limb's length."""
    start = limb_.project(forward(floats([edges[0, 0]]))[0])
    return (start + _WORN_LENGTH * _length(edges[0]) * scale) / limb_.length


def patch(
    edges: Floats,
    seam: Floats,
    limb_: Limb,
    forward: Forward,
    scale: float,
    sw: float,
    reached: float,
) -> Patch:
    """The grids of one sleeve.

    edges: (2, SAMPLES, 2) outer and inner edge in the garment; seam: (2, 2) shoulder and arm pit
    in the garment; forward: garment px to canvas px by the torso's map; scale: canvas px per
    garment px; reached: mean `reach` of the pair, so that both are long or both short.
    """
    nu = np.linspace(-_OVER_EDGE, 1 + _OVER_EDGE, _COLUMNS)
    long = reached > _LONG
    outer, inner, end = _target_edges(edges, limb_, forward, scale, sw, long)
    source = _ruled(edges[1], edges[0], nu)
    target = _ruled(inner, outer, nu)
    target = _start_on_seam(source, target, forward, sw)
    source, target = _with_end(source, target)
    return Patch(*_with_overlap(source, target, seam, forward, scale, sw), end, long)


def _ruled(inner: Floats, outer: Floats, nu: Numbers) -> Floats:
    """A ruled surface (rows, columns, 2): straight lines from inner (nu 0) to outer (nu 1)."""
    return floats(inner[:, None] + (outer - inner)[:, None] * nu[None, :, None])


def _target_edges(
    edges: Floats, limb_: Limb, forward: Forward, scale: float, sw: float, long: bool
) -> tuple[Floats, Floats, float]:
    """Outer and inner edge on the canvas, and where the sleeve ends, px along the limb."""
    ends = forward(floats([edges[0, 0], edges[1, 0]]))
    start_out, start_in = limb_.project(ends[0]), limb_.project(ends[1])
    long_out, long_in = (_length(edge) * scale for edge in edges)
    stop = _stop(limb_, start_out, start_in, long_out, long_in, sw, long)
    f = np.linspace(0, 1, SAMPLES)
    t_out, t_in = start_out + f * (stop - start_out), start_in + f * (stop - start_in)
    total = _total_width(limb_, stop, scale * float(np.hypot(*(edges[0, -1] - edges[1, -1]))))
    grown = 1 + (total - 1) * f
    outer = limb_.point(t_out) + limb_.out(t_out) * _width_at(limb_.outer, limb_, t_out, grown, sw)
    inner = limb_.point(t_in) - limb_.out(t_in) * _width_at(limb_.inner, limb_, t_in, grown, sw)
    outer += (ends[0] - outer[0]) * _fade(t_out - start_out, _OUTER_FADE_SW * sw)
    inner += (ends[1] - inner[0]) * _fade(t_in - start_in, _INNER_FADE_SW * sw)
    return floats(outer), floats(inner), stop


def _width_at(widths: Floats, limb_: Limb, t: Numbers, grown: Numbers, sw: float) -> Floats:
    return floats((np.interp(t, limb_.at, widths) + _EASE_SW * sw) * grown)[:, None]


def _fade(distance: Numbers, reach: float) -> Floats:
    return floats(np.exp(-((np.maximum(distance, 0) / reach) ** 2)))[:, None]


def _length(points: Floats) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def _stop(
    limb_: Limb,
    start_out: float,
    start_in: float,
    long_out: float,
    long_in: float,
    sw: float,
    long: bool,
) -> float:
    """Where the sleeve ends, px along the limb."""
    stop = start_out + _WORN_LENGTH * long_out
    if long:
        return float(np.clip(stop, 0.97 * limb_.length, 1.02 * limb_.length))
    least = start_in + max(0.07 * sw, 0.7 * long_in)
    return float(np.clip(max(stop, least), 0, limb_.length))


def _total_width(limb_: Limb, stop: float, cuff: float) -> float:
    """How many times wider than the limb the sleeve is at its end."""
    own = float(np.interp(stop, limb_.at, limb_.outer + limb_.inner))
    return float(np.clip(0.84 * cuff / max(own, 1.0), 1.08, 1.5))


def _start_on_seam(source: Floats, target: Floats, forward: Forward, sw: float) -> Floats:
    """Shifts the first row to where the torso's map puts the seam; the shift fades along the
    limb."""
    shift = forward(floats(source[0])) - target[0]
    along = np.hypot(*np.moveaxis(target - target[:1], -1, 0))
    fade = np.exp(-((along / (_SEAM_FADE_SW * sw)) ** 2))
    fade[0] = 1
    return floats(target + shift[None] * fade[..., None])


def _with_end(source: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Adds rows beyond the cuff, so that the visible edge is the garment's, not the grid's."""
    extended = []
    for grid in (source, target):
        step = (grid[-1] - grid[-3]) / 2
        beyond = [grid[-1] + step * (i + 1) * 0.5 for i in range(_BEYOND_END_ROWS)]
        extended.append(floats(np.concatenate([grid, beyond])))
    return extended[0], extended[1]


def _with_overlap(
    source: Floats, target: Floats, seam: Floats, forward: Forward, scale: float, sw: float
) -> tuple[Floats, Floats]:
    """Adds rows inside the torso, where torso and sleeve show the same, so that no gap opens at
    the seam."""
    along = seam[1] - seam[0]
    inwards = floats([along[1], -along[0]]) / max(float(np.hypot(*along)), 1e-6)
    if float(inwards[0]) < 0:
        inwards = -inwards
    depth = 0.05 * sw / scale
    rows = [
        source[0] + inwards * depth * (_INSIDE_TORSO_ROWS - i) for i in range(_INSIDE_TORSO_ROWS)
    ]
    inside = floats(rows)
    moved = forward(floats(inside.reshape(-1, 2))).reshape(inside.shape)
    return floats(np.concatenate([inside, source])), floats(np.concatenate([moved, target]))
