"""The inverse maps of a worn garment: for every px of the canvas the garment px it comes from, by
the torso's map and the limbs' patches.

Knows person, garment and their measures; moves no pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_worker.contract import Category
from gpu_worker.engines.preview.fit import Fit, fit
from gpu_worker.engines.preview.limb import ARM_SW, LEG_SW, Limb, Patch, limb, patch, reach
from gpu_worker.engines.preview.measure import Measures, measure, whole_leg
from gpu_worker.engines.preview.mesh import inverse_map
from gpu_worker.engines.preview.torso import TorsoMap, body_planes, to_canvas, torso_map
from gpu_worker.vision.cutout import Garment
from gpu_worker.vision.cutout.shape import ARMS, LEGS, Shape
from gpu_worker.vision.planes import Floats, Mask, blur, floats, to_segment
from gpu_worker.vision.pose import Person
from gpu_worker.vision.pose.labels import SKIN

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_SEAM_STRIP_SW = 0.06
_OVER_SEAM_SW = 0.008  # a wider strip of the torso's map would show beside a narrower limb
_HANGS_OVER_TL = 0.95
_NECK_EDGE_PX = 1.6  # of the garment's canvas
_BELOW_ANKLE = 0.10  # of the shank


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's inverse map. x, y: planes on the canvas, garment px; inside: where they are
    valid; chosen: plane on the garment's canvas, 1 where its px belong to this layer."""

    x: Floats
    y: Floats
    inside: Mask
    chosen: Floats


@dataclass(frozen=True, slots=True)
class Worn:
    """A garment fitted to a body: its layers, and the fit.

    sleeves, legs: layers of the limbs that it has; limbs, patches: by index of the garment's four
    limbs, the body's arm or leg and the grids on it, None where the garment has no such limb.
    """

    torso: Layer
    back: Layer
    sleeves: tuple[Layer, ...]
    legs: tuple[Layer, ...]
    fit: Fit
    map: TorsoMap
    measures: Measures
    limbs: tuple[Limb | None, ...]
    patches: tuple[Patch | None, ...]

    @property
    def long_legs(self) -> bool:
        """Whether all legs that the garment has reach the ankles."""
        return all(grid.long for grid in (self.patches[i] for i in LEGS) if grid is not None)


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
    which = (*ARMS, *LEGS)
    limbs = tuple(_limb_of(person, garment, i) for i in which)
    patches = _patches(person, garment, mapping, measures, limbs)
    sleeves, legs = [
        tuple(
            _limb_layer(grid, person, garment, fitted, measures, index)
            for index in pair
            if (grid := patches[index]) is not None
        )
        for pair in (ARMS, LEGS)
    ]
    return Worn(front, back, sleeves, legs, fitted, mapping, measures, limbs, patches)


def _below_top(person: Person, garment: Garment) -> Mask:
    """Where a bottom may show: below the hem of a top that hangs over it, else everywhere."""
    _, v = person.body.uv(person.person.shape)
    if garment.category is Category.LOWER and person.waist > _HANGS_OVER_TL:
        return np.asarray(v > person.waist - 0.02)
    return np.ones(v.shape, dtype=bool)


def _contour(garment: Garment) -> Floats | None:
    """The garment's top edge per column, straight between the neck points; None for bottoms."""
    if garment.category is Category.LOWER:
        return None
    solid = garment.alpha > 0.5
    contour = np.where(solid.any(axis=0), np.argmax(solid, axis=0), solid.shape[0])
    shape = garment.shape
    columns = np.arange(len(contour), dtype=np.float32)
    if not shape.sleeved:
        xs = [*shape.shoulder[:1, 0], *shape.neck[:, 0], *shape.shoulder[1:, 0]]
        ys = [*shape.shoulder[:1, 1], *shape.neck[:, 1], *shape.shoulder[1:, 1]]
        return floats(np.interp(columns, xs, ys))
    left_x, left_y, right_x, right_y = (float(value) for value in shape.neck.ravel())
    between = (columns > left_x) & (columns < right_x)
    line = np.interp(columns, (left_x, right_x), (left_y, right_y))
    return floats(np.where(between, line, floats(contour)))


def _torso_chosen(garment: Garment, fitted: Fit, measures: Measures) -> Floats:
    """The torso layer's px: the garment without limbs and without the inside of its back."""
    shape = garment.shape
    torso = shape.limbs == 0
    for index in (*ARMS, *LEGS):
        if shape.limbed[index]:
            torso |= _seam_strip(shape, index, fitted, measures, _OVER_SEAM_SW)
    front = np.clip(1.5 - 2 * blur(shape.back, _NECK_EDGE_PX), 0, 1)  # a smooth neckline
    return floats(torso * front)


def _seam_strip(shape: Shape, index: int, fitted: Fit, measures: Measures, limb: float) -> Mask:
    """Px around a seam, on the limb's side only within `limb` sw of it."""
    reach = _SEAM_STRIP_SW * measures.sw / fitted.s
    outer, inner = shape.seams[index]
    distance = to_segment(shape.limbs.shape, outer, inner, reach)[0]
    own = (shape.limbs == index + 1) & (distance < limb * measures.sw / fitted.s)
    return np.asarray((distance < reach) & (shape.limbs == 0) | own)


def _limb_of(person: Person, garment: Garment, index: int) -> Limb | None:
    """The arm or leg within a limb of the garment, mirrored to the image's left."""
    if not garment.shape.limbed[index]:
        return None
    leg, side = index in LEGS, index % 2
    joints = _to_the_shoe(whole_leg(person, side)) if leg else person.body.arm(side)
    inner = person.person if leg else person.person & (person.labels == SKIN)
    mask, joints = person.person, floats(joints)
    if side == 1:
        mask, inner, joints = mask[:, ::-1], inner[:, ::-1], _flipped(joints, mask.shape[1])
    return limb(joints, mask, inner, LEG_SW if leg else ARM_SW, person.body.sw)


def leg_covered(person: Person, worn: Worn, side: int) -> float:
    """px along the leg from the hip to where the garment ends."""
    grid = worn.patches[LEGS[side]]
    if grid is not None:
        return grid.end
    hip, knee, ankle = whole_leg(person, side)
    hem = float(worn.fit.down(worn.map.shape.hem))
    done = 0.0
    for a, b in ((hip, knee), (knee, ankle)):
        top, bottom = (float((p - person.body.at(0, 0)) @ person.body.down) for p in (a, b))
        share = (hem - top) / max(bottom - top, 1.0)
        done += float(np.clip(share, 0, 1)) * float(np.hypot(*(b - a)))
    return done


def _to_the_shoe(leg: Floats) -> Floats:
    """Hip, knee and where long trousers end: below the ankle's joint."""
    hip, knee, ankle = leg
    return floats([hip, knee, ankle + _BELOW_ANKLE * (ankle - knee)])


def _flipped(points: Floats, width: int) -> Floats:
    out = floats(points.copy())
    out[..., 0] = width - 1 - out[..., 0]
    return out


def _patches(
    person: Person,
    garment: Garment,
    mapping: TorsoMap,
    measures: Measures,
    limbs: tuple[Limb | None, ...],
) -> tuple[Patch | None, ...]:
    """The grids of the garment's limbs, in the picture's own orientation."""
    found: list[Patch | None] = []
    for pair in (ARMS, LEGS):
        sides = [_Seen(person, garment, mapping, index) for index in pair]
        both = [(seen, along) for seen, i in zip(sides, pair, strict=True) if (along := limbs[i])]
        reached = float(np.mean([seen.reach(along) for seen, along in both])) if both else 0.0
        found += [
            None if (along := limbs[i]) is None else seen.patch(along, measures.sw, reached)
            for seen, i in zip(sides, pair, strict=True)
        ]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One limb of the garment, mirrored to the image's left, with the torso's map."""

    person: Person
    garment: Garment
    map: TorsoMap
    index: int

    def reach(self, along: Limb) -> float:
        return reach(self._own(self.garment.shape.edges), along, self._forward, self.map.fit.s)

    def patch(self, along: Limb, sw: float, reached: float) -> Patch:
        shape = self.garment.shape
        edges, seam = self._own(shape.edges), self._own(shape.seams)
        grid = patch(edges, seam, along, self._forward, self.map.fit.s, sw, reached)
        if not self.index % 2:
            return grid
        source = _flipped(grid.source, self._garment_width)
        target = _flipped(grid.target, self._canvas_width)
        return Patch(source, target, grid.end, grid.long)

    @property
    def _garment_width(self) -> int:
        return int(self.garment.alpha.shape[1])

    @property
    def _canvas_width(self) -> int:
        return int(self.person.person.shape[1])

    def _own(self, points: Floats) -> Floats:
        own = points[self.index]
        return _flipped(own, self._garment_width) if self.index % 2 else own

    def _forward(self, points: Floats) -> Floats:
        side = self.index % 2
        own = _flipped(points, self._garment_width) if side else points
        moved = to_canvas(self.person.body, self.map.forward(own))
        return _flipped(moved, self._canvas_width) if side else moved


def _limb_layer(
    grid: Patch,
    person: Person,
    garment: Garment,
    fitted: Fit,
    measures: Measures,
    index: int,
) -> Layer:
    """The layer of one sleeve or leg, by its patch."""
    height, width = person.person.shape
    x, y, inside = inverse_map(grid.source, grid.target, (height, width))
    shape = garment.shape
    chosen = (shape.limbs == index + 1) | _seam_strip(
        shape, index, fitted, measures, _SEAM_STRIP_SW
    )
    return Layer(x, y, inside, chosen.astype(np.float32))
