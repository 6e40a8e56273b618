"""What is read from a photo, kept as arrays, and read back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpu_worker.contract import Reason
from gpu_worker.engine import Refusal
from gpu_worker.vision import pose
from gpu_worker.vision.pose.body import SHOULDERS, SW_PX, WRISTS, Body
from gpu_worker.vision.pose.labels import HAIR, LOWER, SKIN, UPPER
from gpu_worker.vision.pose.plausible import arms_crossed, refuse_implausible
from tests.gpu_worker.reading import Reader, demo

ANNA = demo("person_anna")


@pytest.fixture(scope="module")
def anna(reader: Reader) -> pose.Person:
    return reader.person(ANNA)


def test_the_canvas_is_measured_in_shoulder_widths(anna: pose.Person) -> None:
    assert anna.body.sw == pytest.approx(SW_PX, rel=0.01)
    assert 1.3 < anna.body.tl / anna.body.sw < 1.9
    assert anna.person.shape == (anna.frame.height, anna.frame.width)


@pytest.mark.parametrize(
    ("u", "v", "label"),
    [(0.0, 0.5, UPPER), (0.2, 1.4, LOWER), (0.0, -0.12, SKIN), (-0.32, -0.1, HAIR)],
)
def test_knows_what_is_worn_where(anna: pose.Person, u: float, v: float, label: int) -> None:
    x, y = anna.body.at(u, v).round().astype(int)
    assert anna.labels[y, x] == label


def test_sees_bare_arms_and_the_hem(reader: Reader, anna: pose.Person) -> None:
    assert anna.bare == (True, True)
    assert 1.0 < anna.waist < 1.25
    assert reader.person(demo("person_george")).bare == (False, False)


def test_parts_survive_being_kept(anna: pose.Person) -> None:
    parts = anna.to_parts()
    assert pose.fits(parts, ANNA)
    again = pose.Person.from_parts(parts)
    assert np.array_equal(again.labels, anna.labels)
    assert np.array_equal(again.body.points, anna.body.points)
    assert (again.frame, again.bare) == (anna.frame, anna.bare)
    assert again.waist == pytest.approx(anna.waist)
    assert sum(part.nbytes for part in parts.values()) < 2_000_000


def test_parts_of_another_size_or_version_do_not_fit(anna: pose.Person) -> None:
    assert not pose.fits(anna.to_parts(), ANNA[:900])
    assert not pose.fits({}, ANNA)
    assert not pose.fits({**anna.to_parts(), "photo_version": np.array([0])}, ANNA)


def test_a_back_view_is_refused(anna: pose.Person) -> None:
    points = anna.body.points.copy()
    points[list(SHOULDERS)] = points[list(SHOULDERS)[::-1]]
    with pytest.raises(Refusal) as refused:
        refuse_implausible(Body(points, anna.body.visibility), np.ones(33, dtype=np.float32))
    assert refused.value.reason is Reason.BACK_VIEW


@pytest.mark.parametrize(
    ("landmark", "u", "v", "name"),
    [(0, 0.0, 0.3, "head_place"), (14, -1.2, 1.5, "arm_ratio"), (2, 0.9, -0.5, "head_ratio")],
)
def test_nonsense_is_refused(
    anna: pose.Person, landmark: int, u: float, v: float, name: str
) -> None:
    points = anna.body.points.copy()
    points[landmark] = anna.body.at(u, v)
    with pytest.raises(Refusal) as refused:
        refuse_implausible(Body(points, anna.body.visibility), np.ones(33, dtype=np.float32))
    assert refused.value.reason is Reason.IMPLAUSIBLE_POSE
    assert refused.value.detail == name


def test_crossed_arms_are_seen(anna: pose.Person) -> None:
    assert not arms_crossed(anna.body)
    points = anna.body.points.copy()
    points[WRISTS[0]] = anna.body.at(0.3, 0.4)
    assert arms_crossed(replace(anna.body, points=points))
