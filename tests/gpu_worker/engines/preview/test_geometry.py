"""The map's own properties, and what a mirror or another size may change."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_worker.engine import Pixels
from gpu_worker.engines.preview.mesh import folded, inverse_map
from gpu_worker.engines.preview.torso import _unwrap, _wrap
from gpu_worker.vision.planes import floats, membrane
from tests.gpu_worker.engines.preview.conftest import Find
from tests.gpu_worker.reading import Reader, Worn


@given(st.floats(0, 1), st.floats(0.5, 1.3))
def test_wrapping_round_the_body_can_be_undone(across: float, compression: float) -> None:
    flat, tight = floats([across]), floats([compression])
    assert float(_unwrap(_wrap(flat, tight), tight)[0]) == pytest.approx(across, abs=2e-3)


@given(st.floats(0.66, 1.0))
def test_the_middle_of_a_print_keeps_its_size(compression: float) -> None:
    flat, tight = floats([0.1, 0.2]), floats([compression, compression])
    seen = _wrap(flat, tight) * compression
    assert float(seen[1] - seen[0]) == pytest.approx(0.1, rel=0.12)


@given(st.integers(0, 255), st.integers(6, 40), st.integers(6, 40))
def test_a_membrane_continues_a_constant(value: int, height: int, width: int) -> None:
    known = np.zeros((height, width), dtype=bool)
    known[0] = True
    filled = membrane(np.full((height, width, 3), value, dtype=np.uint8), known)
    assert np.abs(filled - value).max() < 1e-2 * (value + 1)


@given(st.floats(0.5, 2), st.floats(-0.3, 0.3), st.floats(-5, 5))
def test_a_grid_moved_by_an_affine_map_is_inverted_exactly(
    scale: float, shear: float, shift: float
) -> None:
    ys, xs = np.mgrid[0:5, 0:4] * 8.0
    source = floats(np.stack([xs, ys], axis=-1))
    target = floats(np.stack([xs * scale + ys * shear + shift + 20, ys * scale + 10], axis=-1))
    x, y, inside = inverse_map(source, target, (96, 96))
    rows, columns = np.nonzero(inside)
    back = x[rows, columns] * scale + y[rows, columns] * shear + shift + 20
    assert np.abs(back - columns).max() < 1e-2
    assert folded(target) == 0


@pytest.mark.parametrize(("person", "garment"), [("anna", "tee_geo"), ("zola", "dress_floral")])
def test_forward_and_inverse_are_one_map(worn: Find, person: str, garment: str) -> None:
    case = worn(person, garment)
    mapping, shape = case.drawn.map, case.garment.shape
    ys = np.linspace(shape.pit[0, 1], shape.hem - 10, 12)
    points = floats(np.stack([shape.axis + np.linspace(-60, 60, 12), ys], axis=1))
    x, y = mapping.inverse(*mapping.forward(points).T)
    assert np.abs(np.stack([x, y], axis=1) - points).max() < 0.5


def _mirrored(reader: Reader, case: Worn) -> Pixels:
    photo = np.ascontiguousarray(case.photo[:, ::-1])
    picture = np.ascontiguousarray(case.picture[:, ::-1])
    return reader.worn(photo, picture, case.garment.category).drawn.pixels[:, ::-1]


@pytest.mark.parametrize(
    ("person", "garment"),
    [("george", "sweatshirt_word"), ("zola", "trousers_denim"), ("man_2", "upper_2")],
)
def test_a_mirrored_photo_gives_the_mirrored_picture(
    reader: Reader, worn: Find, person: str, garment: str
) -> None:
    case = worn(person, garment)
    mirrored = _mirrored(reader, case).astype(np.float32)
    difference = np.abs(mirrored - case.drawn.pixels).max(axis=2)
    assert (difference > 24).mean() < 0.03
    assert difference.mean() < 5


def test_a_smaller_photo_gives_the_smaller_picture(reader: Reader, worn: Find) -> None:
    case = worn("george", "sweatshirt_word")
    size = (case.photo.shape[1] * 3 // 5, case.photo.shape[0] * 3 // 5)
    photo = np.asarray(cv2.resize(case.photo, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    small = reader.worn(photo, case.picture, case.garment.category).drawn.pixels
    expected = cv2.resize(case.drawn.pixels, size, interpolation=cv2.INTER_AREA)
    difference = np.abs(small.astype(np.float32) - expected).max(axis=2)
    assert (difference > 24).mean() < 0.03
    assert difference.mean() < 3
