"""What is read from a garment's picture."""

from __future__ import annotations

import numpy as np
import pytest

from bench.pictures import DEMO, category_of, load
from gpu_worker import cutout
from gpu_worker.contract import Category, Reason
from gpu_worker.engine import Pixels, Refusal


def _read(name: str) -> tuple[Pixels, cutout.Garment]:
    path = DEMO / f"garment_{name}.jpg"
    picture = load(path)
    return picture, cutout.read(picture, category_of(path))


@pytest.mark.parametrize(
    ("name", "limbs"),
    [
        ("tee_geo", True),
        ("longsleeve_stripes", True),
        ("sweatshirt_word", True),
        ("vest_puffer", False),
        ("dress_floral", False),
        ("skirt_plaid", False),
        ("trousers_denim", True),
    ],
)
def test_finds_sleeves_and_legs(name: str, limbs: bool) -> None:
    picture, garment = _read(name)
    assert garment.shape.limbed == (limbs, limbs)
    assert garment.size == (picture.shape[1], picture.shape[0])
    assert 0.2 < float((garment.alpha > 0.5).mean()) < 0.7
    pits = garment.shape.pit[:, 0]
    assert pits[0] <= garment.shape.axis <= pits[1]


def test_a_round_neck_opens_to_its_collar() -> None:
    _, garment = _read("tee_geo")
    shape = garment.shape
    neck = float(shape.neck[1, 0] - shape.neck[0, 0])
    assert 0.4 * neck < shape.neck_depth < 0.9 * neck


def test_both_sides_of_a_symmetric_garment_agree() -> None:
    _, garment = _read("sweatshirt_word")
    shape = garment.shape
    for points in (shape.pit, shape.shoulder, shape.neck):
        left, right = shape.axis - points[0, 0], points[1, 0] - shape.axis
        assert left == pytest.approx(right, rel=0.15)


def test_parts_survive_being_kept() -> None:
    picture, garment = _read("tee_sunset")
    parts = garment.to_parts()
    assert cutout.fits(parts, picture, Category.UPPER)
    assert not cutout.fits(parts, picture, Category.LOWER)
    assert not cutout.fits(parts, picture[:900], Category.UPPER)
    again = cutout.Garment.from_parts(parts)
    assert np.array_equal(again.alpha, garment.alpha)
    assert np.array_equal(again.shape.edges, garment.shape.edges)
    assert again.shape.limbed == garment.shape.limbed


def _striped_wall() -> Pixels:
    wall = np.zeros((600, 500, 3), dtype=np.uint8)
    wall[::40] = 255
    wall[:, ::30] = (200, 20, 90)
    wall[::3, ::2] = (20, 180, 230)
    return wall


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (_striped_wall(), Reason.GARMENT_BACKGROUND_NOT_PLAIN),
        (np.full((600, 500, 3), 250, dtype=np.uint8), Reason.GARMENT_NOT_FOUND),
        (load(DEMO / "person_zola.jpg"), Reason.GARMENT_ON_MODEL),
    ],
)
def test_refuses(picture: Pixels, reason: Reason) -> None:
    with pytest.raises(Refusal) as refused:
        cutout.read(picture, Category.UPPER)
    assert refused.value.reason is reason


def test_refuses_an_overall_with_legs() -> None:
    """Until its legs can follow hers; trousers stand in for a jumpsuit's lower half."""
    with pytest.raises(Refusal) as refused:
        cutout.read(load(DEMO / "garment_trousers_denim.jpg"), Category.OVERALL)
    assert refused.value.reason is Reason.CATEGORY_NOT_SUPPORTED
