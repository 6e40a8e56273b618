"""The engine behind the Protocol: one step, honest refusals, the same bytes every time.

On pictures of half the demo's size: none of it depends on that.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import cv2
import numpy as np
import pytest

from gpu_worker.contract import Category, Reason
from gpu_worker.engine import Order, Parts, Pixels, Refusal, SeededNoise
from gpu_worker.engines.preview import PreviewEngine
from gpu_worker.vision import cutout, pose
from tests.gpu_worker.reading import Reader, demo, half

PERSON = half(demo("person_anna"))
TEE = half(demo("garment_tee_geo"))
Make = Callable[[], Pixels]


def _order(
    photo: Pixels,
    garment: Pixels,
    category: Category = Category.UPPER,
    photo_parts: Parts = MappingProxyType({}),
    garment_parts: Parts = MappingProxyType({}),
) -> Order:
    return Order(
        "o", photo, garment, category, SeededNoise(0),
        photo_parts=photo_parts, garment_parts=garment_parts,
    )  # fmt: skip


def _draw(order: Order) -> Pixels:
    engine = PreviewEngine()
    sample = engine.admit(order)
    assert (sample.step, sample.steps) == (0, 1)
    engine.step([sample])
    assert sample.step == 1
    return engine.finish(sample).pixels


def test_says_that_it_is_a_preview() -> None:
    engine = PreviewEngine()
    engine.warm_up()
    assert (engine.name, engine.is_preview, engine.licence) == ("preview", True, "Apache-2.0")
    assert engine.categories == frozenset(Category)


def test_same_inputs_give_the_same_bytes_with_and_without_parts() -> None:
    first = _draw(_order(PERSON, TEE))
    parts = Order(
        "again",
        PERSON,
        TEE,
        Category.UPPER,
        SeededNoise(7),
        photo_parts=pose.read_photo(PERSON),
        garment_parts=cutout.read_garment(TEE, Category.UPPER),
    )
    assert np.array_equal(first, _draw(parts))
    assert (first != PERSON).any()


def _blank() -> Pixels:
    return np.full((450, 350, 3), 200, dtype=np.uint8)


def _side_by_side() -> Pixels:
    return np.concatenate([PERSON, half(demo("person_george"))], axis=1)


def _dark() -> Pixels:
    return (PERSON * 0.09).astype(np.uint8)


def _tiny() -> Pixels:
    small = cv2.resize(PERSON, (120, 160), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def _bust() -> Pixels:
    return PERSON[:280]


def _at_the_waist() -> Pixels:
    return PERSON[:430]


def _at_the_hips() -> Pixels:
    return PERSON[:450]


def _busy() -> Pixels:
    noise = np.random.Generator(np.random.Philox(seed=1))
    return noise.integers(0, 255, (600, 500, 3), dtype=np.uint8)


PHOTOS: list[tuple[str, Make, Category, Reason]] = [
    ("nobody", _blank, Category.UPPER, Reason.NOBODY_FOUND),
    ("two people", _side_by_side, Category.UPPER, Reason.SEVERAL_PEOPLE),
    ("dark", _dark, Category.UPPER, Reason.PHOTO_TOO_DARK),
    ("far away", _tiny, Category.UPPER, Reason.PERSON_TOO_SMALL),
    ("bust", _bust, Category.UPPER, Reason.CROP_TOO_TIGHT),
    ("no legs", _at_the_waist, Category.LOWER, Reason.CROP_TOO_TIGHT),
    ("dress on a bust", _bust, Category.OVERALL, Reason.CROP_TOO_TIGHT),
]
GARMENTS: list[tuple[str, Make, Reason]] = [
    ("busy ground", _busy, Reason.GARMENT_BACKGROUND_NOT_PLAIN),
    ("on a model", lambda: PERSON, Reason.GARMENT_ON_MODEL),
    ("no garment", _blank, Reason.GARMENT_NOT_FOUND),
]


@pytest.mark.parametrize(
    ("photo", "category", "reason"), [row[1:] for row in PHOTOS], ids=[row[0] for row in PHOTOS]
)
def test_refuses_a_photo(photo: Make, category: Category, reason: Reason) -> None:
    with pytest.raises(Refusal) as refused:
        PreviewEngine().admit(_order(photo(), TEE, category))
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("garment", "reason"), [row[1:] for row in GARMENTS], ids=[row[0] for row in GARMENTS]
)
def test_refuses_a_garment(reader: Reader, garment: Make, reason: Reason) -> None:
    anna = reader.person(PERSON).to_parts()
    with pytest.raises(Refusal) as refused:
        PreviewEngine().admit(_order(PERSON, garment(), photo_parts=anna))
    assert refused.value.reason is reason


@pytest.mark.parametrize("name", ["dress", "jumpsuit"])
def test_a_dress_is_drawn_as_far_as_the_photo_shows_her(reader: Reader, name: str) -> None:
    """Cut at the hips: the photo check has warned, the picture keeps the photo's framing."""
    photo = _at_the_hips()
    anna = reader.person(photo).to_parts()
    dress = demo("garment_dress_floral") if name == "dress" else reader.composed(name)
    with pytest.raises(Refusal):
        PreviewEngine().admit(_order(photo, dress, Category.LOWER, photo_parts=anna))
    parts = reader.garment(dress, Category.OVERALL).to_parts()
    drawn = _draw(_order(photo, dress, Category.OVERALL, photo_parts=anna, garment_parts=parts))
    assert drawn.shape == photo.shape
    assert (drawn[-1] != photo[-1]).any()


@pytest.mark.parametrize("name", ["anna", "kenji", "marcus"])
def test_no_shorts_on_legs_that_nobody_has_seen(reader: Reader, name: str) -> None:
    """The trousers would have to go, and nothing of the legs shows to be drawn on."""
    engine = PreviewEngine()
    photo, shorts = demo(f"person_{name}"), reader.composed("shorts")
    read = reader.person(photo).to_parts()
    parts = reader.garment(shorts, Category.LOWER).to_parts()
    sample = engine.admit(
        _order(photo, shorts, Category.LOWER, photo_parts=read, garment_parts=parts)
    )
    engine.step([sample])
    with pytest.raises(Refusal) as refused:
        engine.finish(sample)
    assert refused.value.reason is Reason.WOULD_NEED_BARE_LIMBS


def test_lists_the_people_to_choose_from() -> None:
    with pytest.raises(Refusal) as refused:
        pose.read_photo(_side_by_side())
    boxes = refused.value.data["people"]
    assert len(boxes) == 2
    assert boxes[0][0] < boxes[1][0]
    chosen = pose.read_person(_side_by_side(), person=1)
    assert chosen.body.points[:, 0].mean() / chosen.frame.scale + chosen.frame.x > PERSON.shape[1]


def test_who_was_picked_stays_picked_when_the_photo_is_read_anew() -> None:
    both = _side_by_side()
    parts = pose.read_photo(both, person=1)
    stale = {**parts, "photo_version": np.array([0])}
    first, again = (pose.person_of(known, both) for known in (parts, stale))
    assert np.array_equal(again.body.points, first.body.points)
    with pytest.raises(Refusal) as refused:
        pose.person_of({}, both)
    assert refused.value.reason is Reason.SEVERAL_PEOPLE
