"""Quality check of a finished picture: refuses it rather than show something grotesque.

The bounds lie outside all values measured on good pictures. Knows the drawing's layers; draws
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_worker.contract import Category, Reason
from gpu_worker.engine import Pixels, Refusal
from gpu_worker.engines.preview.draw import Drawing
from gpu_worker.engines.preview.mesh import folded
from gpu_worker.engines.preview.scene import is_open, neckline_area
from gpu_worker.vision.cutout.shape import ARMS, LEGS
from gpu_worker.vision.planes import Mask, close, components, lab, largest, length
from gpu_worker.vision.pose import Person
from gpu_worker.vision.pose.labels import LOWER, UPPER

# Numbers without an origin of their own: by eye on the sheets (docs/preview.md).
_SEEN = 0.5
_LIKE_BEFORE_LAB = 4.0  # Lab: px that changed less still show the old garment


@dataclass(frozen=True, slots=True)
class Verdict:
    """The measures of a drawing; shares are 0..1.

    fragments: share of the garment outside its largest part.
    gaps: slits that a morphological closing would fill, as a share of the garment.
    residue: share of the old garment still visible above the new hem.
    growth: garment px outside the body; invented: px painted as skin, both by body px.
    folds: share of turned-over cells in the worst sleeve or leg.
    sleeve: least share of a limb's bone that its sleeve or leg covers.
    bare_limb: longest hidden limb that could not be drawn, in sw; bare_leg: the same below shorts.
    """

    fragments: float
    gaps: float
    residue: float
    growth: float
    invented: float
    folds: float
    sleeve: float
    bare_limb: float
    bare_leg: float


_MOST = {
    "fragments": 0.06,
    "gaps": 0.02,
    "residue": 0.03,
    "growth": 0.30,
    "invented": 0.16,
    "folds": 0.12,
}
_LEAST_SLEEVE = 0.75
_MOST_BARE_LIMB_SW = 0.35
_MOST_BARE_LEG_SW = 0.02  # a hem's shadow may be as long; beyond it there would be no leg


def refuse_grotesque(verdict: Verdict) -> None:
    """Refuses a drawing with a measure beyond its bound.

    Raises:
        Refusal: would_need_bare_limbs, self_check_failed.
    """
    if verdict.bare_limb > _MOST_BARE_LIMB_SW or verdict.bare_leg > _MOST_BARE_LEG_SW:
        detail = f"{verdict.bare_limb:.2f} shoulder widths of limb are hidden"
        raise Refusal(Reason.WOULD_NEED_BARE_LIMBS, detail)
    for name, most in _MOST.items():
        value = getattr(verdict, name)
        if value > most:
            reason = (
                Reason.WOULD_NEED_BARE_LIMBS if name == "invented" else Reason.SELF_CHECK_FAILED
            )
            raise Refusal(reason, f"{name} {value:.3f}, at most {most}")
    if verdict.sleeve < _LEAST_SLEEVE:
        raise Refusal(Reason.SELF_CHECK_FAILED, f"sleeve {verdict.sleeve:.2f}")


def judge(photo: Pixels, person: Person, drawing: Drawing, category: Category) -> Verdict:
    """Measures a drawing on the canvas."""
    worn = drawing.torso + drawing.limbs > _SEEN
    body = max(1, int(person.person.sum()))
    grids = [grid for grid in drawing.worn.patches if grid is not None]
    return Verdict(
        fragments=_fragments(worn),
        gaps=_gaps(worn, person),
        residue=residue(photo, person, drawing, category),
        growth=float((worn & ~person.person).sum()) / body,
        invented=float(drawing.zones.bare.sum()) / body,
        folds=max([folded(grid.target) for grid in grids], default=0.0),
        sleeve=min([_bone_covered(drawing, index) for index in (*ARMS, *LEGS)]),
        bare_limb=drawing.bare_limb / person.body.sw,
        bare_leg=drawing.bare_leg / person.body.sw,
    )


def _fragments(worn: Mask) -> float:
    return 1 - float(largest(worn).sum()) / max(1, int(worn.sum()))


def _gaps(worn: Mask, person: Person) -> float:
    """Slits and pin holes inside the garment, as a share of it."""
    reach = 0.05 * person.body.sw
    closed = close(np.pad(worn, round(reach) + 1), reach)
    inner = closed[round(reach) + 1 : -round(reach) - 1, round(reach) + 1 : -round(reach) - 1]
    missing = inner & ~worn
    labels, areas = components(missing)
    holes = areas[1:][areas[1:] < 0.02 * person.body.sw**2].sum() if len(areas) > 1 else 0
    del labels
    return float(holes) / max(1, int(worn.sum()))


def residue(photo: Pixels, person: Person, drawing: Drawing, category: Category) -> float:
    """The share of the old garment above the new hem that is still visible."""
    values = [LOWER] if category is Category.LOWER else [UPPER]
    if category is Category.OVERALL and drawing.worn.legs:
        values = [UPPER, LOWER]
    hem = float(drawing.worn.fit.down(drawing.worn.map.shape.hem))
    old = np.isin(person.labels, values) & (drawing.zones.y < hem - 0.02 * person.body.tl)
    if category is Category.UPPER and is_open(drawing.worn):
        old &= ~neckline_area(drawing.worn)
    bare = old & (drawing.alpha < _SEEN)
    if not bare.any():
        return 0.0
    before, after = (
        lab(person.frame.crop(pixels)[bare][None]) for pixels in (photo, drawing.pixels)
    )
    same = length(after - before) < _LIKE_BEFORE_LAB
    return float(same.sum()) / int(old.sum())


def _bone_covered(drawing: Drawing, index: int) -> float:
    """The share of the limb's middle line, up to the garment's end, that the garment covers or that
    is behind something in front of it (a worn top, a hand, hair)."""
    grid, along, side = drawing.worn.patches[index], drawing.worn.limbs[index], index % 2
    if grid is None or along is None:
        return 1.0
    worn = drawing.torso + drawing.limbs + drawing.zones.front
    first, last = 0.05 * along.length, 0.92 * min(grid.end, along.length)
    points = along.point(np.linspace(first, max(first, last), 24)).round().astype(np.int32)
    columns = points[:, 0] if side == 0 else worn.shape[1] - 1 - points[:, 0]
    inside = (points[:, 1] < worn.shape[0]) & (columns >= 0) & (columns < worn.shape[1])
    if not inside.any():
        return 1.0
    return float((worn[points[inside, 1], columns[inside]] > _SEEN).mean())
