"""How long it may take, and what of it is news."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.models import now
from server.pace import Pace, eta_s, usual
from server.steward.chores import LONGEST_REST_S, Chore
from server.steward.places import Place, moved


@pytest.mark.parametrize(
    ("position", "pace", "expected"),
    [
        (1, Pace(4, None), None),  # nothing is known
        (1, Pace(4, 2.5), 3),  # starts now
        (4, Pace(4, 2.5), 3),
        (5, Pace(4, 2.5), 5),  # after a batch that starts now
        (9, Pace(4, 2.5), 8),
        (1, Pace(1, 10, [4]), 16),  # what runs has 6 s left
        (2, Pace(1, 10, [4]), 26),
        (1, Pace(1, 10, [40]), 10),  # what runs is late already
        (2, Pace(4, 10, [4, 2]), 10),  # two slots are free
        (3, Pace(4, 10, [4, 2]), 18),
    ],
)
def test_the_time_until_the_picture(position: int, pace: Pace, expected: float | None) -> None:
    assert eta_s(position, pace) == expected


@given(
    position=st.integers(1, 500),
    slots=st.integers(1, 32),
    duration=st.floats(0.01, 100),
    elapsed=st.lists(st.floats(0, 200), max_size=32),
)
def test_nobody_behind_is_told_a_shorter_time(
    position: int, slots: int, duration: float, elapsed: list[float]
) -> None:
    pace = Pace(slots, duration, elapsed)
    mine, next_one = eta_s(position, pace), eta_s(position + 1, pace)
    assert mine is not None
    assert next_one is not None
    assert 1 <= mine <= next_one


@pytest.mark.parametrize(
    ("told", "is_news"),
    [
        (Place(1, 3), False),
        (Place(2, 3), True),
        (Place(None, 3), True),
        (Place(1, None), True),
        (Place(1, 5), False),  # it only counts down
        (Place(1, 30), True),
    ],
)
def test_what_is_news(told: Place, is_news: bool) -> None:
    news = moved({"a": told}, {"a": 1, "not ours": 2}, Pace(4, 2.5))
    assert news == ({"a": Place(1, 3)} if is_news else {})


def test_one_that_is_in_no_line_is_no_news() -> None:
    assert moved({"a": Place(3, 9)}, {}, Pace(4, 2.5)) == {}


def test_the_usual_time_forgives_one_slow_picture() -> None:
    assert usual([2, 2, 90]) == 2
    assert usual([]) is None


def test_a_chore_that_fails_rests_longer_each_time() -> None:
    begin = now()
    chore = Chore("sweep", 1.0, lambda _: None)
    assert chore.is_due(begin)
    rests = []
    for _ in range(12):
        chore.failed(begin)
        assert chore.due_at is not None
        rests.append((chore.due_at - begin).total_seconds())
    assert rests[:3] == [1, 2, 4]
    assert rests[-1] == LONGEST_REST_S
    chore.succeeded(begin)
    assert not chore.is_due(begin)
    assert chore.is_due(begin + timedelta(seconds=1))
