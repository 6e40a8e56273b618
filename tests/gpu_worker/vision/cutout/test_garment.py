"""What is read from a garment's picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.pictures import DEMO, PHONE, category_of, load
from gpu_worker.contract import Category, Reason
from gpu_worker.engine import Pixels, Refusal
from gpu_worker.vision import cutout
from gpu_worker.vision.cutout import cut
from gpu_worker.vision.planes import resize
from tests.gpu_worker.reading import Reader, demo

Read = Callable[[str], tuple[Pixels, cutout.Garment]]


@pytest.fixture
def read(reader: Reader) -> Read:
    """`read("tee_geo")`: the demo's picture and what is read of it."""

    def reads(name: str) -> tuple[Pixels, cutout.Garment]:
        path = DEMO / f"garment_{name}.jpg"
        picture = load(path)
        return picture, reader.garment(picture, category_of(path))

    return reads


@pytest.mark.parametrize(
    ("name", "sleeves", "legs"),
    [
        ("tee_geo", True, False),
        ("longsleeve_stripes", True, False),
        ("sweatshirt_word", True, False),
        ("vest_puffer", False, False),
        ("dress_floral", False, False),
        ("skirt_plaid", False, False),
        ("trousers_denim", False, True),
    ],
)
def test_finds_sleeves_and_legs(read: Read, name: str, sleeves: bool, legs: bool) -> None:
    picture, garment = read(name)
    assert garment.shape.limbed == (sleeves, sleeves, legs, legs)
    assert garment.size == (picture.shape[1], picture.shape[0])
    assert 0.2 < float((garment.alpha > 0.5).mean()) < 0.7
    pits = garment.shape.pit[:, 0]
    assert pits[0] - 2 <= garment.shape.axis <= pits[1] + 2


@pytest.mark.parametrize(
    ("name", "limbed"),
    [
        ("tshirt_18b6", (True, True, False, False)),
        ("longsleeve_1789", (True, True, False, False)),
        ("shirt_ab40", (True, True, False, False)),
        ("outwear_4b31", (False, False, False, False)),
        ("pants_eaa3", (False, False, True, True)),
        ("skirt_5144", (False, False, False, False)),
        ("dress_cbf4", (False, False, False, False)),
    ],
)
def test_reads_what_a_phone_took(reader: Reader, name: str, limbed: tuple[bool, ...]) -> None:
    """On sheets, boards, doors and hangers."""
    path = PHONE / f"phone_{name}.jpg"
    garment = reader.garment(load(path), category_of(path))
    assert garment.shape.limbed == limbed
    assert 0.2 < float((garment.alpha > 0.5).mean()) < 0.7


def test_a_round_neck_opens_to_its_collar(read: Read) -> None:
    _, garment = read("tee_geo")
    shape = garment.shape
    neck = float(shape.neck[1, 0] - shape.neck[0, 0])
    assert 0.38 * neck < shape.neck_depth < 0.9 * neck


def test_the_inside_of_a_back_is_found_down_to_a_faint_front_edge(read: Read) -> None:
    """The dress's lining is plain, its front printed in the same red."""
    _, garment = read("dress_floral")
    shape = garment.shape
    width = float(np.ptp(shape.pit[:, 0]))
    middle = np.flatnonzero(shape.back[:, round(shape.axis)])
    assert 0.12 * width < np.ptp(middle) < 0.35 * width


def test_both_sides_of_a_symmetric_garment_agree(read: Read) -> None:
    _, garment = read("sweatshirt_word")
    shape = garment.shape
    for points in (shape.pit, shape.shoulder, shape.neck):
        left, right = shape.axis - points[0, 0], points[1, 0] - shape.axis
        assert left == pytest.approx(right, rel=0.15)


def test_parts_survive_being_kept(read: Read) -> None:
    picture, garment = read("tee_sunset")
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


def _on_white(name: str) -> Pixels:
    """A garment of the demo on a ground of the purest white."""
    picture = load(DEMO / f"garment_{name}.jpg")
    found = cut(picture)
    alpha = resize(found.alpha, picture.shape[1], picture.shape[0])[..., None]
    return np.round(picture * alpha + 255 * (1 - alpha)).astype(np.uint8)


def test_print_in_the_grounds_colour_is_no_hole() -> None:
    picture = _on_white("sweatshirt_word")
    height, width = picture.shape[:2]
    chest = (slice(round(0.45 * height), round(0.55 * height)),
             slice(round(0.42 * width), round(0.58 * width)))  # fmt: skip
    picture[chest] = 255
    garment = cutout.read(picture, Category.UPPER)
    alpha = resize(garment.alpha, width, height)
    assert alpha[chest].min() > 0.9


def test_a_wavy_hem_is_no_narrowing(read: Read) -> None:
    shape = read("skirt_plaid")[1].shape
    above = round(shape.hem - 0.08 * (shape.hem - shape.top))
    assert (shape.half[:, round(shape.hem)] > 0.97 * shape.half[:, above]).all()


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (demo("garment_trousers_denim"), Reason.GARMENT_NOT_FOUND),  # a top has no legs
        (demo("garment_tee_geo")[::20, ::20], Reason.GARMENT_NOT_FOUND),  # too small
        (_striped_wall(), Reason.GARMENT_BACKGROUND_NOT_PLAIN),
        (np.full((600, 500, 3), 250, dtype=np.uint8), Reason.GARMENT_NOT_FOUND),
        (demo("person_zola"), Reason.GARMENT_ON_MODEL),
        (load(PHONE / "busy_tshirt_01fd.jpg"), Reason.GARMENT_BACKGROUND_NOT_PLAIN),
    ],
)
def test_refuses(picture: Pixels, reason: Reason) -> None:
    with pytest.raises(Refusal) as refused:
        cutout.read(picture, Category.UPPER)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("name", "sleeves"), [("jumpsuit", False), ("jumpsuit_with_sleeves", True), ("playsuit", True)]
)
def test_a_jumpsuit_has_a_torso_sleeves_and_legs(reader: Reader, name: str, sleeves: bool) -> None:
    shape = reader.garment(reader.composed(name), Category.OVERALL).shape
    assert shape.limbed == (sleeves, sleeves, True, True)
    assert shape.top < shape.pit[0, 1] < shape.fork < shape.hem
    left, right = shape.seams[2:, 0, 0]
    assert left < shape.seams[2, 1, 0] < right
    assert shape.axis - left == pytest.approx(right - shape.axis, rel=0.15)


def test_shorts_have_short_legs(reader: Reader, read: Read) -> None:
    trousers = read("trousers_denim")[1].shape
    shorts = reader.garment(reader.composed("shorts"), Category.LOWER).shape
    assert shorts.legged
    assert shorts.fork == pytest.approx(trousers.fork, abs=3)
    assert shorts.hem < trousers.hem


def test_the_gap_between_the_legs_is_open_to_its_tip(read: Read) -> None:
    _, garment = read("trousers_denim")
    x, y = garment.shape.seams[2, 1]
    below = garment.alpha[round(float(y)) + 4 :, round(float(x))]
    assert below[: int(0.6 * len(below))].max() < 0.5
    assert float(y) < 0.35 * garment.alpha.shape[0]


def test_a_sleeves_edges_do_not_run_round_the_torso(read: Read) -> None:
    """Both inner edges of a symmetric garment are of one length, and shorter than the outer."""
    _, garment = read("longsleeve_stripes")
    outer_left, inner_left, outer_right, inner_right = [
        float(np.hypot(*np.diff(garment.shape.edges[limb, edge], axis=0).T).sum())
        for limb in (0, 1)
        for edge in (0, 1)
    ]
    assert inner_left == pytest.approx(inner_right, rel=0.1)
    assert inner_left < outer_left
    assert inner_right < outer_right
