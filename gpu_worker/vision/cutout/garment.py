"""Reads a garment's picture once: `read_garment` computes the arrays that every later try-on uses.

Knows the garment's picture and category. The arrays are plain, so that they can be stored as npz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_worker.contract import Category, Reason
from gpu_worker.engine import Array, Parts, Pixels, Refusal
from gpu_worker.vision.cutout.ground import cut
from gpu_worker.vision.cutout.shape import Shape, describe
from gpu_worker.vision.planes import Floats, floats
from gpu_worker.vision.pose import find_people

VERSION = 6  # of the arrays: stored ones of another version are computed again
_CATEGORIES = (Category.UPPER, Category.LOWER, Category.OVERALL)
_SCALARS = ("axis", "top", "hem", "neck_depth")
_POINTS = ("half", "pit", "shoulder", "neck", "seams", "edges")


@dataclass(frozen=True, slots=True)
class Garment:
    """A garment that was cut out. alpha: float32 (h, w) on the garment's canvas, which has `scale`
    px per px of the picture; size: width and height of the picture; shape: its parts, in px of the
    canvas."""

    category: Category
    alpha: Floats
    scale: float
    size: tuple[int, int]
    shape: Shape

    def to_parts(self) -> dict[str, Array]:
        shape = self.shape
        scalars = {name: np.array([getattr(shape, name)]) for name in _SCALARS}
        points = {name: floats(getattr(shape, name)) for name in _POINTS}
        return {
            "garment_version": np.array([VERSION], dtype=np.int32),
            "garment_size": np.array(self.size, dtype=np.int32),
            "category": np.array([_CATEGORIES.index(self.category)], dtype=np.int32),
            "alpha": np.round(self.alpha * 255).astype(np.uint8),
            "scale": np.array([self.scale], dtype=np.float64),
            "limbed": np.array(shape.limbed, dtype=np.uint8),
            "limbs": shape.limbs,
            "back": shape.back.astype(np.uint8),
            **scalars,
            **points,
        }

    @classmethod
    def from_parts(cls, parts: Parts) -> Garment:
        a, b, c, d = (bool(value) for value in parts["limbed"])
        axis, top, hem, neck_depth = (float(parts[name][0]) for name in _SCALARS)
        half, pit, shoulder, neck, seams, edges = (floats(parts[name]) for name in _POINTS)
        shape = Shape(
            axis=axis,
            top=top,
            hem=hem,
            half=half,
            pit=pit,
            shoulder=shoulder,
            neck=neck,
            limbed=(a, b, c, d),
            seams=seams,
            edges=edges,
            limbs=np.asarray(parts["limbs"], dtype=np.uint8),
            back=parts["back"].astype(bool),
            neck_depth=neck_depth,
        )
        return cls(
            category=_CATEGORIES[int(parts["category"][0])],
            alpha=floats(parts["alpha"]) / np.float32(255),
            scale=float(parts["scale"][0]),
            size=(int(parts["garment_size"][0]), int(parts["garment_size"][1])),
            shape=shape,
        )


def fits(parts: Parts, pixels: Pixels, category: Category) -> bool:
    """Whether this version computed these parts, from a picture of this size and category."""
    if "garment_version" not in parts or int(parts["garment_version"][0]) != VERSION:
        return False
    if _CATEGORIES[int(parts["category"][0])] is not category:
        return False
    return tuple(int(n) for n in parts["garment_size"]) == (pixels.shape[1], pixels.shape[0])


def read_garment(pixels: Pixels, category: Category) -> dict[str, Array]:
    """Cuts a garment out and finds its parts.

    pixels: uint8 (h, w, 3) RGB.

    Raises:
        Refusal: garment_on_model, garment_background_not_plain, garment_not_found.
    """
    return read(pixels, category).to_parts()


def read(pixels: Pixels, category: Category) -> Garment:
    """`read_garment`, as a `Garment`."""
    refuse_worn(pixels)
    found = cut(pixels)
    size = (pixels.shape[1], pixels.shape[0])
    alpha = floats(np.round(found.alpha * 255)) / np.float32(255)  # exactly as it will be stored
    return Garment(category, alpha, found.scale, size, describe(found, category))


def refuse_worn(pixels: Pixels) -> None:
    """Refuses a garment that somebody wears.

    Raises:
        Refusal: garment_on_model.
    """
    if find_people(pixels):
        raise Refusal(Reason.GARMENT_ON_MODEL, "a person wears it")
