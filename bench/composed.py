"""Garments that the demo set lacks, composed from its pictures: shorts, jumpsuits, a cardigan.

For contact sheets and tests. Knows the pixels of the demo's renders, and the cut-out.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from bench.pictures import DEMO, load
from gpu_worker.engine import Pixels
from gpu_worker.vision.cutout import cut
from gpu_worker.vision.planes import Floats, Mask, floats, resize

_OLIVE = (0.47, 0.50, 0.36)
_OVERLAP = 0.04  # of the top's height
_MARGIN_PX = 60
_NECK_WIDE, _FRONT_DEEP = 0.65, 0.45  # of the top's width between its sleeves, of its height
_LINING = 0.55  # as light as this share of the cloth


@cache
def shorts() -> Pixels:
    """The demo's trousers, cut above the knee."""
    return _cut_legs(load(DEMO / "garment_trousers_denim.jpg"), 0.45)


@cache
def jumpsuit(top: str = "vest_puffer", legs: float = 1.0) -> Pixels:
    """A top of the demo and its trousers in one cloth, joined at the waist.

    legs: the share of the trousers' height that is kept.
    """
    upper = load(DEMO / f"garment_{top}.jpg")
    lower = _cut_legs(load(DEMO / "garment_trousers_denim.jpg"), legs)
    return _joined(_in_one_colour(upper), _in_one_colour(lower), _cloth(upper), _cloth(lower))


@cache
def jumpsuit_with_sleeves() -> Pixels:
    return jumpsuit("tee_geo")


@cache
def playsuit() -> Pixels:
    return jumpsuit("tee_geo", 0.42)


@cache
def cardigan() -> Pixels:
    """A tee of the demo in one colour, with a front open in a V that shows the inside of the
    back."""
    picture = load(DEMO / "garment_tee_sunset.jpg")
    cloth = _cloth(picture)
    page = _in_one_colour(picture)
    page[_open_front(cloth) & cloth] = np.round(floats(_OLIVE) * 255 * _LINING)
    return page


def write(folder: Path) -> tuple[Path, ...]:
    """Saves the composed garments, named as the demo names its own."""
    folder.mkdir(parents=True, exist_ok=True)
    made = (shorts, jumpsuit, jumpsuit_with_sleeves, playsuit, cardigan)
    paths = [folder / f"garment_{make.__name__}.png" for make in made]
    for path, make in zip(paths, made, strict=True):
        Image.fromarray(make()).save(path)
    return tuple(paths)


def _ground(picture: Pixels) -> Floats:
    return floats(np.median(picture[:8].reshape(-1, 3), axis=0))


def _alpha(picture: Pixels) -> Floats:
    """The cut-out's alpha at the picture's size."""
    return resize(cut(picture).alpha, picture.shape[1], picture.shape[0])


def _cloth(picture: Pixels) -> Mask:
    return np.asarray(_alpha(picture) > 0.5)


def _cut_legs(picture: Pixels, share: float) -> Pixels:
    """The picture with the background's colour below a share of the garment's height."""
    rows = np.flatnonzero(_cloth(picture).any(axis=1))
    cut = picture.copy()
    if share < 1:
        cut[rows[0] + round(share * (rows[-1] - rows[0])) :] = np.round(_ground(picture))
    return cut


def _open_front(cloth: Mask) -> Mask:
    """A V from the neck down, px."""
    rows = np.flatnonzero(cloth.any(axis=1))
    hem = np.flatnonzero(cloth[rows[-1] - round(0.1 * len(rows))])
    middle, half = (hem[0] + hem[-1]) / 2, _NECK_WIDE / 2 * (hem[-1] - hem[0])
    ys, xs = np.indices(cloth.shape)
    down = (ys - rows[0]) / (_FRONT_DEEP * len(rows))
    return np.asarray(np.abs(xs - middle) < half * (1 - down))


def _in_one_colour(picture: Pixels) -> Pixels:
    """The garment in olive: with its folds, without its print and its shadow on the background."""
    alpha = _alpha(picture)
    lightness = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    inside = (alpha > 0.9).astype(np.float32)
    smooth = cv2.GaussianBlur(lightness * inside, (0, 0), 25)
    smooth = smooth / np.maximum(cv2.GaussianBlur(inside, (0, 0), 25), 1e-3)
    folds = np.clip(lightness / np.maximum(smooth, 1), 0.8, 1.15)[..., None]
    olive = np.clip(floats(_OLIVE) * 255 * folds, 0, 255)
    ground = _ground(picture)
    return np.round(ground + (olive - ground) * alpha[..., None]).astype(np.uint8)


def _joined(upper: Pixels, lower: Pixels, top: Mask, bottom: Mask) -> Pixels:
    """One picture: the lower garment, scaled to the width of the top's hem, under that hem."""
    rows = np.flatnonzero(top.any(axis=1))
    hem = np.flatnonzero(top[rows[-1] - round(_OVERLAP * len(rows)) - 4])
    waist_rows = np.flatnonzero(bottom.any(axis=1))
    waist = np.flatnonzero(bottom[waist_rows[0] + 20])
    scale = (hem[-1] - hem[0]) / (waist[-1] - waist[0])
    y = rows[-1] - round(_OVERLAP * len(rows))
    high = round((waist_rows[-1] - waist_rows[0]) * scale)
    width = upper.shape[1]
    size = (width, y + high + _MARGIN_PX)
    shift_x = (hem[0] + hem[-1]) / 2 - scale * (waist[0] + waist[-1]) / 2
    matrix = floats([[scale, 0, shift_x], [0, scale, y - scale * waist_rows[0]]])
    ground = tuple(int(v) for v in _ground(upper))
    page = np.full((size[1], width, 3), ground, dtype=np.uint8)
    page[: min(len(upper), size[1])] = upper[: size[1]]
    moved = cv2.warpAffine(lower, matrix, size, flags=cv2.INTER_AREA, borderValue=ground)
    seen = cv2.warpAffine(bottom.astype(np.uint8), matrix, size) > 0
    over = np.zeros_like(seen)
    over[: len(top)] = top[: size[1]]
    page[seen & ~over] = moved[seen & ~over]
    return page
