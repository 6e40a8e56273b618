"""The agnostic mask covers what is worn and never face, feet or the garment that stays."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from gpu_worker.contract import Category
from gpu_worker.engine import Pixels
from gpu_worker.vision.agnostic import agnostic_mask
from gpu_worker.vision.pose import Person
from gpu_worker.vision.pose.body import EYES, MOUTH, NOSE, WRISTS
from gpu_worker.vision.pose.labels import FEET, HAIR, LOWER, UPPER
from tests.gpu_worker.reading import Reader, demo

PEOPLE = ("anna", "marcus", "priya")
Find = Callable[[str], Person]


@pytest.fixture
def person(reader: Reader) -> Find:
    return lambda name: reader.person(demo(f"person_{name}"))


def share(mask: Pixels, who: Person, *labels: int) -> float:
    """How much of what bears these labels is repainted."""
    frame = who.frame
    box = mask[frame.y : frame.y + frame.high, frame.x : frame.x + frame.wide]
    plane = cv2.resize(box, (frame.width, frame.height), interpolation=cv2.INTER_NEAREST)
    inside = np.isin(who.labels, labels)
    return float((plane[inside] > 0).mean()) if inside.any() else 0.0


def at(mask: Pixels, who: Person, *landmarks: int) -> list[int]:
    points = who.frame.to_photo_px(who.body.points[list(landmarks)])
    return [int(mask[round(float(y)), round(float(x))]) for x, y in points]


WORN = [
    (Category.UPPER, (UPPER,), (LOWER, HAIR, FEET)),
    (Category.LOWER, (LOWER,), (UPPER, HAIR, FEET)),
    (Category.OVERALL, (UPPER, LOWER), (HAIR, FEET)),
]


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize(("category", "goes", "stays"), WORN)
@pytest.mark.parametrize("loose", [True, False])
def test_what_is_worn_goes_and_the_rest_stays(
    person: Find,
    name: str,
    category: Category,
    goes: tuple[int, ...],
    stays: tuple[int, ...],
    loose: bool,
) -> None:
    who = person(name)
    mask = agnostic_mask(who, category, loose=loose)
    assert mask.shape == (who.size[1], who.size[0])
    assert set(np.unique(mask)) == {0, 255}
    assert share(mask, who, *goes) > 0.97
    assert share(mask, who, *stays) < 0.03
    assert at(mask, who, NOSE, *EYES, *MOUTH) == [0] * 5


@pytest.mark.parametrize("name", PEOPLE)
def test_a_loose_mask_hides_the_old_cut(person: Find, name: str) -> None:
    """It covers bare forearms, and far more than the cloth."""
    who = person(name)
    loose = agnostic_mask(who, Category.UPPER, loose=True)
    tight = agnostic_mask(who, Category.UPPER, loose=False)
    elbows = at(loose, who, 13, 14)
    assert elbows == [255, 255]
    assert (tight > 0).sum() < 0.9 * (loose > 0).sum()


@pytest.mark.parametrize("name", PEOPLE)
def test_hands_stay_where_they_are_not_redrawn(person: Find, name: str) -> None:
    who = person(name)
    redrawn = agnostic_mask(who, Category.UPPER)
    kept = agnostic_mask(who, Category.UPPER, redraw_hands=False)
    assert at(redrawn, who, *WRISTS) == [255, 255]
    hands = [who.frame.to_photo_px(who.body.hand(side)[None])[0] for side in (0, 1)]
    assert [int(kept[round(float(y)), round(float(x))]) for x, y in hands] == [0, 0]
    assert ((kept > 0) & (redrawn == 0)).sum() == 0


def test_long_hair_may_be_redrawn_where_the_head_is_not_kept(person: Find) -> None:
    who = person("anna")
    kept, free = (agnostic_mask(who, Category.UPPER, keep_head=keep) for keep in (True, False))
    assert share(kept, who, HAIR) < 0.03
    assert share(free, who, HAIR) > 0.1
    assert at(free, who, NOSE, *EYES, *MOUTH) == [0] * 5


def test_it_is_always_the_same(person: Find) -> None:
    first, second = (agnostic_mask(person("anna"), Category.OVERALL) for _ in range(2))
    assert np.array_equal(first, second)
