"""What the photo check says of a photo that is good enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gpu_worker.contract import Hint
from gpu_worker.engine import Pixels
from gpu_worker.tailor.hints import hints_of
from gpu_worker.tailor.orders import PhotoOrder
from gpu_worker.tailor.photo import check_photo
from gpu_worker.vision.pose.body import WRISTS
from tests.gpu_worker.reading import Reader, demo, half

ANNA = half(demo("person_anna"))


def _dim() -> Pixels:
    return (ANNA * 0.4).astype(np.uint8)


SAID: list[tuple[str, Callable[[], Pixels], list[Hint]]] = [
    ("to the knees", lambda: ANNA, []),
    ("dim", _dim, [Hint.DIM]),
    ("to the hips", lambda: ANNA[:450], [Hint.CROP_ENDS_AT_WAIST]),
    ("a bust", lambda: ANNA[:280], [Hint.CROP_ENDS_ABOVE_WAIST]),
    ("a dim bust", lambda: _dim()[:280], [Hint.DIM, Hint.CROP_ENDS_ABOVE_WAIST]),
]


@pytest.mark.parametrize(
    ("photo", "hints"), [row[1:] for row in SAID], ids=[row[0] for row in SAID]
)
def test_says_what_could_be_better(photo: Callable[[], Pixels], hints: list[Hint]) -> None:
    assert check_photo(PhotoOrder("o", photo())).data["hints"] == hints


@pytest.mark.parametrize("name", ["george", "kenji", "marcus", "priya", "zola"])
def test_has_nothing_to_say_about_the_demos_photos(reader: Reader, name: str) -> None:
    photo = demo(f"person_{name}")
    assert hints_of(photo, reader.person(photo)) == []


def test_sees_arms_before_the_body(reader: Reader) -> None:
    anna = reader.person(ANNA)
    points = anna.body.points.copy()
    points[WRISTS[0]] = anna.body.at(0.3, 0.4)
    crossed = replace(anna, body=replace(anna.body, points=points))
    assert hints_of(ANNA, crossed) == [Hint.ARMS_BEFORE_BODY]
