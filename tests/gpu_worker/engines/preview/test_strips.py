"""Strips of the photo: together they are the whole, and outside them nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_worker.engines.preview.compose import Layers, Planes, compose
from gpu_worker.engines.preview.render import Printed
from gpu_worker.engines.preview.strips import strips
from gpu_worker.vision.planes import Floats, Mask, floats
from gpu_worker.vision.pose.body import Frame

sides = st.integers(8, 60)


def _noise(*shape: int) -> Floats:
    return np.random.Generator(np.random.Philox(seed=3)).random(shape, dtype=np.float32)


@given(sides, sides, st.floats(0.3, 6), st.sampled_from([(), (3,)]))
def test_strips_see_a_plane_as_the_whole_photo_does(
    width: int, height: int, factor: float, channels: tuple[int, ...]
) -> None:
    frame = Frame(
        0, 0, max(2, round(width * factor)), max(2, round(height * factor)), width, height
    )
    plane = _noise(height, width, *channels)
    everywhere = np.ones((height, width), dtype=bool)
    seen = [strip.of(plane) for strip in strips(frame, everywhere)]
    assert np.abs(np.concatenate(seen) - frame.to_photo(plane)).max() < 1e-4


@given(sides, sides, st.floats(1, 5), st.integers(0, 7), st.integers(0, 7))
def test_strips_cover_what_is_touched(
    width: int, height: int, factor: float, x: int, y: int
) -> None:
    frame = Frame(0, 0, round(width * factor), round(height * factor), width, height)
    touched = np.zeros((height, width), dtype=bool)
    touched[y, x] = True
    shown = frame.to_photo(touched.astype(np.float32)) > 0
    for strip in strips(frame, touched):
        shown[strip.top : strip.bottom, strip.left : strip.right] = False
    assert not shown.any()


def test_nothing_touched_needs_no_strip() -> None:
    frame = Frame(0, 0, 40, 40, 20, 20)
    assert list(strips(frame, np.zeros((20, 20), dtype=bool))) == []


def _planes(touched: Mask) -> Planes:
    shape = touched.shape
    ones, zeros = np.ones(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    return Planes(_noise(*shape, 3) * 255, zeros, ones, ones, zeros, zeros, touched)


def _layer(shape: tuple[int, int], alpha: int) -> Printed:
    pixels = np.full((30, 30, 4), 10, dtype=np.uint8)
    pixels[..., 3] = alpha
    ys, xs = np.mgrid[0 : shape[0], 0 : shape[1]]
    return Printed(pixels, floats(xs % 28), floats(ys % 28), None)


@pytest.mark.parametrize(("alpha", "changes"), [(0, False), (255, True)])
def test_a_clear_layer_changes_no_bit_even_where_it_is_drawn(alpha: int, changes: bool) -> None:
    photo = np.floor(_noise(90, 70, 3) * 256).astype(np.uint8)
    frame = Frame(5, 7, 60, 80, 30, 40)
    touched = np.zeros((40, 30), dtype=bool)
    touched[10:20, 8:16] = True
    layers = Layers(None, (_layer((40, 30), alpha),), ())
    drawn = compose(photo, frame, _planes(touched), layers)
    outside = np.ones(photo.shape[:2], dtype=bool)
    outside[7 + 16 : 7 + 44, 5 + 12 : 5 + 36] = False
    assert np.array_equal(drawn[outside], photo[outside])
    assert np.array_equal(drawn, photo) is not changes
