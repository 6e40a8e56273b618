"""The window shows the whole person, and what is laid back touches nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gpu_worker.engines.catvton.framing import Window, cut, lay_back, person_box, window_of
from gpu_worker.vision.pose import Person, read_person
from gpu_worker.vision.pose.body import Body, Frame

DEMO = Path(__file__).parents[4] / "embed" / "demo" / "static"
TARGET = (48, 64)
sizes = st.tuples(st.integers(40, 400), st.integers(40, 400))


@st.composite
def photos_with_person(
    draw: st.DrawFn,
) -> tuple[tuple[int, int], tuple[float, float, float, float]]:
    width, height = draw(sizes)
    left, right = sorted((draw(st.integers(0, width - 2)), draw(st.integers(2, width))))
    top, bottom = sorted((draw(st.integers(0, height - 2)), draw(st.integers(2, height))))
    return (width, height), (left, top, max(right, left + 1), max(bottom, top + 1))


@given(sizes)
def test_without_a_person_it_is_the_centred_crop(size: tuple[int, int]) -> None:
    window = window_of(size, TARGET, None)
    assert window.left >= 0
    assert window.top >= 0
    assert window.left + window.width <= size[0]
    assert window.top + window.height <= size[1]
    assert window.width == size[0] or window.height == size[1]


@given(photos_with_person())
def test_the_whole_person_is_in_the_window(
    case: tuple[tuple[int, int], tuple[float, float, float, float]],
) -> None:
    size, (left, top, right, bottom) = case
    window = window_of(size, TARGET, (left, top, right, bottom))
    assert window.left <= left + 1
    assert window.top <= top + 1
    assert window.left + window.width >= right - 1
    assert window.top + window.height >= bottom - 1
    assert abs(window.width / window.height - TARGET[0] / TARGET[1]) < 0.05


@given(sizes, st.integers(-30, 30), st.integers(-30, 30))
def test_what_is_cut_and_laid_back_unchanged_is_the_photo(
    size: tuple[int, int], left: int, top: int
) -> None:
    photo = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    window = Window(left, top, size[0], size[1])
    seen = cut(photo, window, size)
    assert np.array_equal(lay_back(photo, np.asarray(seen), window, None), photo)


def test_only_the_mask_changes() -> None:
    photo = np.full((80, 60, 3), 100, dtype=np.uint8)
    mask = np.zeros((80, 60), dtype=np.uint8)
    mask[20:60, 15:45] = 255
    drawn = np.full((64, 48, 3), 200, dtype=np.uint8)
    result = lay_back(photo, drawn, window_of((60, 80), TARGET, None), mask)
    assert np.array_equal(result[mask == 0], photo[mask == 0])
    assert (result[38:42, 28:32] == 200).all()
    assert len(np.unique(result)) > 2, "the edge fades"


def test_a_tall_photo_keeps_head_and_feet() -> None:
    photo = np.zeros((1600, 900, 3), dtype=np.uint8)
    photo[100:1500, 300:600] = 255
    window = window_of((900, 1600), (768, 1024), (150, 20, 750, 1580))
    seen = np.asarray(cut(photo, window, (768, 1024)))
    columns = np.flatnonzero(seen[:, 384, 0] > 128)
    assert columns[0] > 5
    assert columns[-1] < 1018


def test_the_persons_box_is_in_photo_pixels_and_has_a_margin() -> None:
    """The tailor's landmarks lie on its canvas: here half as large, and 40 px from the left."""
    seen = np.zeros((33, 2), dtype=np.float32)
    seen[0], seen[1], seen[2] = (4.75, 9.75), (14.75, 59.75), (500, 500)
    body = Body(seen, np.array([1, 1] + [0] * 31, dtype=np.float32))
    frame = Frame(x=40, y=0, wide=100, high=200, width=50, height=100)
    empty = np.zeros((100, 50), dtype=np.uint8)
    tones = np.zeros((1, 3), dtype=np.float32)
    person = Person(frame, body, empty.astype(bool), empty, tones, 0.8, (True, True), (300, 200))
    assert person_box(person) == pytest.approx((50 - 12, 20 - 12, 70 + 12, 120 + 12))


def test_a_read_person_is_inside_her_box() -> None:
    """Placed off the photo's middle, where the canvas and the photo differ most."""
    with Image.open(DEMO / "person_anna.jpg") as picture:
        anna = np.asarray(picture.convert("RGB"))
    wide = np.full((anna.shape[0], 3 * anna.shape[1], 3), anna[0, 0], dtype=np.uint8)
    wide[:, 2 * anna.shape[1] :] = anna
    box = person_box(read_person(wide))
    assert box is not None
    assert box[0] > 1.9 * anna.shape[1]
    assert box[2] < wide.shape[1] + 0.2 * anna.shape[1]


def test_a_window_over_the_edge_repeats_the_border() -> None:
    photo = np.zeros((10, 10, 3), dtype=np.uint8)
    photo[:, 0] = 255
    seen = cut(photo, Window(-10, 0, 20, 10), (20, 10))
    assert (np.asarray(seen)[:, :9] == 255).all()
