"""The detector tells people from everything else."""

from __future__ import annotations

import numpy as np
import pytest

from bench.pictures import DEMO, load
from gpu_worker.vision.pose import find_people


@pytest.mark.parametrize("overlap_px", [0, 360, 480, 600])
@pytest.mark.parametrize(("left", "right"), [("anna", "george"), ("priya", "zola")])
def test_two_people_who_stand_close_are_two(left: str, right: str, overlap_px: int) -> None:
    """Their pictures joined, up to arm on arm."""
    one, two = (load(DEMO / f"person_{name}.jpg") for name in (left, right))
    cut = overlap_px // 2
    joined = np.concatenate([one[:, : one.shape[1] - cut], two[:, cut:]], axis=1)
    people = sorted(find_people(joined), key=lambda person: person.x)
    assert len(people) == 2
    assert people[0].x < joined.shape[1] / 2 < people[1].x


@pytest.mark.parametrize("name", ["anna", "george", "kenji", "marcus", "priya", "zola"])
def test_one_person_is_one(name: str) -> None:
    photo = load(DEMO / f"person_{name}.jpg")
    assert len(find_people(photo)) == 1
    assert len(find_people(photo[: photo.shape[0] * 2 // 3])) == 1


@pytest.mark.parametrize("value", [0, 128, 255])
def test_nobody_on_an_empty_wall(value: int) -> None:
    assert find_people(np.full((400, 300, 3), value, dtype=np.uint8)) == []
