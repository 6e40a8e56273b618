"""Where every px of the worn garment comes from: the torso's map and the limbs' patches.

Knows person, garment and their measures; moves no pixels yet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_worker.contract import Category
from gpu_worker.cutout import Garment
from gpu_worker.cutout.shape import Shape
from gpu_worker.planes import Floats, Mask, floats, to_segment
from gpu_worker.pose import Person
from gpu_worker.pose.labels import SKIN
from gpu_worker.preview.fit import Fit, fit
from gpu_worker.preview.limb import ARM_SW, LEG_SW, Limb, Patch, limb, patch
from gpu_worker.preview.measure import Measures, measure
from gpu_worker.preview.mesh import inverse_map
from gpu_worker.preview.torso import TorsoMap, body_planes, to_canvas, torso_map

_SEAM_STRIP_SW = 0.06
_HANGS_OVER_TL = 0.95


@dataclass(frozen=True, slots=True)
class Layer:
    """x, y: planes on the canvas, garment px; inside: where they mean anything;
    chosen: plane on the garment's canvas, 1 where its px belong to this layer."""

    x: Floats
    y: Floats
    inside: Mask
    chosen: Floats


@dataclass(frozen=True, slots=True)
class Worn:
    """A garment on a body: its layers from the innermost out, and how it was fitted."""

    layers: tuple[Layer, ...]
    back: Layer
    fit: Fit
    map: TorsoMap
    measures: Measures
    limbs: tuple[Limb | None, Limb | None]
    patches: tuple[Patch | None, Patch | None]


def wear(person: Person, garment: Garment) -> Worn:
    """Fits the garment to the person."""
    measures = measure(person)
    fitted = fit(garment, measures, person.waist)
    shape = garment.shape
    mapping = torso_map(shape, fitted, measures, _contour(garment))
    x, y = mapping.inverse(*body_planes(person.body, person.person.shape))
    everywhere = np.ones(person.person.shape, dtype=bool)
    front = Layer(x, y, _below_top(person, garment), _torso_chosen(garment, fitted, measures))
    back = Layer(x, y, everywhere, shape.back.astype(np.float32))
    limbs = [_limb_of(person, garment, side) for side in (0, 1)]
    patches = [_patch_of(person, garment, mapping, measures, limbs[side], side) for side in (0, 1)]
    layers = [front]
    for side, grid in enumerate(patches):
        if grid is not None:
            layers.append(_limb_layer(grid, person, garment, fitted, measures, side))
    return Worn(
        tuple(layers), back, fitted, mapping, measures,
        (limbs[0], limbs[1]), (patches[0], patches[1]),
    )  # fmt: skip


def _below_top(person: Person, garment: Garment) -> Mask:
    """A bottom under a top that hangs over it starts at that top's hem."""
    _, v = person.body.uv(person.person.shape)
    if garment.category is Category.LOWER and person.waist > _HANGS_OVER_TL:
        return np.asarray(v > person.waist - 0.02)
    return np.ones(v.shape, dtype=bool)


def _contour(garment: Garment) -> Floats | None:
    """The top edge per column, straight between the neck points; none for lower garments."""
    if garment.category is Category.LOWER:
        return None
    solid = garment.alpha > 0.5
    contour = np.where(solid.any(axis=0), np.argmax(solid, axis=0), solid.shape[0])
    shape = garment.shape
    columns = np.arange(len(contour), dtype=np.float32)
    if not any(shape.limbed):
        xs = [*shape.shoulder[:1, 0], *shape.neck[:, 0], *shape.shoulder[1:, 0]]
        ys = [*shape.shoulder[:1, 1], *shape.neck[:, 1], *shape.shoulder[1:, 1]]
        return floats(np.interp(columns, xs, ys))
    left_x, left_y, right_x, right_y = (float(value) for value in shape.neck.ravel())
    between = (columns > left_x) & (columns < right_x)
    line = np.interp(columns, (left_x, right_x), (left_y, right_y))
    return floats(np.where(between, line, floats(contour)))


def _torso_chosen(garment: Garment, fitted: Fit, measures: Measures) -> Floats:
    """The garment without limbs and without the inside of its back."""
    shape = garment.shape
    torso = (shape.limbs == 0) & ~shape.back
    for side in (0, 1):
        if shape.limbed[side]:
            torso |= _seam_strip(shape, side, fitted, measures) & ~shape.back
    return floats(torso)


def _seam_strip(shape: Shape, side: int, fitted: Fit, measures: Measures) -> Mask:
    reach = _SEAM_STRIP_SW * measures.sw / fitted.s
    near = to_segment(shape.limbs.shape, shape.shoulder[side], shape.pit[side], reach)[0] < reach
    return np.asarray(near & ((shape.limbs == 0) | (shape.limbs == side + 1)))


def _limb_of(person: Person, garment: Garment, side: int) -> Limb | None:
    """The arm or leg that a limb of the garment goes round, seen at the image's left."""
    if not garment.shape.limbed[side]:
        return None
    leg = garment.category is Category.LOWER
    joints = person.body.leg(side) if leg else person.body.arm(side)
    inner = person.person if leg else person.person & (person.labels == SKIN)
    mask, joints = person.person, floats(joints)
    if side == 1:
        mask, inner, joints = mask[:, ::-1], inner[:, ::-1], _flipped(joints, mask.shape[1])
    return limb(joints, mask, inner, LEG_SW if leg else ARM_SW, person.body.sw)


def _flipped(points: Floats, width: int) -> Floats:
    out = floats(points.copy())
    out[..., 0] = width - 1 - out[..., 0]
    return out


def _patch_of(
    person: Person,
    garment: Garment,
    mapping: TorsoMap,
    measures: Measures,
    along: Limb | None,
    side: int,
) -> Patch | None:
    """The grid of one limb of the garment, in the picture's own orientation."""
    if along is None:
        return None
    shape = garment.shape
    canvas_width, garment_width = person.person.shape[1], shape.limbs.shape[1]

    def forward(points: Floats) -> Floats:
        own = _flipped(points, garment_width) if side else points
        moved = to_canvas(person.body, mapping.forward(own))
        return _flipped(moved, canvas_width) if side else moved

    edges, seam = shape.edges[side], floats([shape.shoulder[side], shape.pit[side]])
    if side:
        edges, seam = _flipped(edges, garment_width), _flipped(seam, garment_width)
    grid = patch(edges, seam, along, forward, mapping.fit.s, measures.sw)
    if not side:
        return grid
    source, target = _flipped(grid.source, garment_width), _flipped(grid.target, canvas_width)
    return Patch(source, target, grid.end, grid.long)


def _limb_layer(
    grid: Patch,
    person: Person,
    garment: Garment,
    fitted: Fit,
    measures: Measures,
    side: int,
) -> Layer:
    height, width = person.person.shape
    x, y, inside = inverse_map(grid.source, grid.target, (height, width))
    shape = garment.shape
    chosen = (shape.limbs == side + 1) | _seam_strip(shape, side, fitted, measures)
    return Layer(x, y, inside, chosen.astype(np.float32))
