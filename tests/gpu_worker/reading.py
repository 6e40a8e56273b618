"""People and garments as the product reads and draws them, from a cache on disk where possible.

For tests that look at the results; a test of the reading itself calls the product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

import gpu_worker
from bench import composed, pictures
from bench.pictures import DEMO, load
from gpu_worker.contract import Category
from gpu_worker.engine import Pixels
from gpu_worker.engines.preview.checks import Verdict, judge
from gpu_worker.engines.preview.draw import draw
from gpu_worker.engines.preview.fit import Fit
from gpu_worker.engines.preview.scene import neckline_area
from gpu_worker.engines.preview.torso import TorsoMap
from gpu_worker.vision import cutout, pose
from gpu_worker.vision.planes import Floats, Mask
from tests.gpu_worker.disk_cache import DiskCache, code_digest

PRODUCT = Path(gpu_worker.__path__[0])
# All of the product that reading and drawing can depend on, so that no other change draws anew.
DRAWN_BY = [
    PRODUCT / name
    for name in (
        *("__init__.py", "engine.py", "contract", "vision"),
        *("engines/__init__.py", "engines/preview"),
    )
]

COMPOSED: dict[str, Callable[[], Pixels]] = {
    "shorts": composed.shorts,
    "jumpsuit": composed.jumpsuit,
    "jumpsuit_with_sleeves": composed.jumpsuit_with_sleeves,
    "playsuit": composed.playsuit,
    "cardigan": composed.cardigan,
}


@dataclass(frozen=True)
class Drawn:
    """What tests need of a drawing; all but `pixels` on the person's canvas.

    y: px below the shoulders; neckline: where the inside of the back would be seen; sleeves: how
    much of each arm they cover, where the garment has both; see `Drawing` for the others.
    """

    pixels: Pixels
    alpha: Floats
    torso: Floats
    limbs: Floats
    y: Floats
    neckline: Mask
    map: TorsoMap
    fit: Fit
    sleeves: tuple[float, ...]
    verdict: Verdict


@dataclass(frozen=True)
class Worn:
    """One person drawn in one garment, with all intermediate results."""

    photo: Pixels
    person: pose.Person
    picture: Pixels
    garment: cutout.Garment
    drawn: Drawn


class Reader:
    """Reads, draws and composes through a cache on disk."""

    def __init__(self, folder: Path) -> None:
        ours = map(Path, (composed.__file__, pictures.__file__, __file__))
        self._kept = DiskCache(folder, code_digest(*DRAWN_BY, *ours))

    def person(self, photo: Pixels) -> pose.Person:
        return self._kept.get("person", _bytes(photo), lambda: pose.read_person(photo))

    def garment(self, picture: Pixels, category: Category) -> cutout.Garment:
        inputs = [*_bytes(picture), category.value.encode()]
        return self._kept.get("garment", inputs, lambda: cutout.read(picture, category))

    def worn(self, photo: Pixels, picture: Pixels, category: Category) -> Worn:
        person, garment = self.person(photo), self.garment(picture, category)
        inputs = [*_bytes(photo), *_bytes(picture), category.value.encode()]
        drawn = self._kept.get("drawn", inputs, lambda: _drawn(photo, person, picture, garment))
        return Worn(photo, person, picture, garment, drawn)

    def composed(self, name: str) -> Pixels:
        sources = [path.read_bytes() for path in pictures.demo().garments]
        return self._kept.get(f"composed-{name}", sources, COMPOSED[name])


def _drawn(photo: Pixels, person: pose.Person, picture: Pixels, garment: cutout.Garment) -> Drawn:
    drawing = draw(photo, person, picture, garment)
    worn = drawing.worn
    return Drawn(
        pixels=drawing.pixels,
        alpha=drawing.alpha,
        torso=drawing.torso,
        limbs=drawing.limbs,
        y=drawing.zones.y,
        neckline=neckline_area(worn),
        map=worn.map,
        fit=worn.fit,
        sleeves=tuple(
            patch.end / limb.length
            for patch, limb in zip(worn.patches[:2], worn.limbs[:2], strict=True)
            if patch is not None and limb is not None
        ),
        verdict=judge(photo, person, drawing, garment.category),
    )


def _bytes(pixels: Pixels) -> list[bytes]:
    return [str(pixels.shape).encode(), pixels.tobytes()]


@cache
def demo(name: str) -> Pixels:
    """`demo("person_anna")`, at its full size."""
    return load(DEMO / f"{name}.jpg")


def half(pixels: Pixels) -> Pixels:
    """The picture at half its size, for tests that do not depend on the size."""
    size = (pixels.shape[1] // 2, pixels.shape[0] // 2)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
