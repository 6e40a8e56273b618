"""How long it may take, and what of it is news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.try_ons.pace import Pace, left_s, usual
from server.models import TryOn, now
from server.steward.chores import LONGEST_REST_S, Chore
from server.steward.places import Place, moved

T0 = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("position", "pace", "expected"),
    [
        (1, Pace(4, None), None),  # nothing is known
        (1, Pace(4, 2.5), 2.5),  # starts now
        (4, Pace(4, 2.5), 2.5),
        (5, Pace(4, 2.5), 5),  # after those that start now
        (9, Pace(4, 2.5), 7.5),
        (1, Pace(1, 10, [6]), 16),
        (2, Pace(1, 10, [6]), 26),
        (1, Pace(1, 10, [0]), 10),  # what runs is late already
        (2, Pace(4, 10, [6, 8]), 10),  # two slots are free
        (3, Pace(4, 10, [6, 8]), 16),  # takes over from the first to end
        (1, Pace(1, 10, [6, 8]), 18),  # slots were taken away: the last one to end counts
    ],
)
def test_the_time_until_the_picture(position: int, pace: Pace, expected: float | None) -> None:
    assert pace.wait(position) == expected


@given(
    position=st.integers(1, 500),
    slots=st.integers(1, 32),
    picture=st.floats(0.01, 100),
    left=st.lists(st.floats(0, 200), max_size=32),
)
def test_nobody_behind_is_told_a_shorter_time(
    position: int, slots: int, picture: float, left: list[float]
) -> None:
    pace = Pace(slots, picture, left)
    mine, next_one = pace.wait(position), pace.wait(position + 1)
    assert mine is not None
    assert next_one is not None
    assert picture <= mine <= next_one


@pytest.mark.parametrize(
    ("step", "steps", "elapsed_s", "left"),
    [(0, 0, 4, 6), (0, 20, 4, 6), (5, 20, 4, 7.5), (20, 20, 4, 0), (0, 20, 40, 0), (1, 1, 4, 6)],
)
def test_what_a_running_one_still_needs(
    step: int, steps: int, elapsed_s: float, left: float
) -> None:
    row = TryOn(step=step, steps=steps, started_at=T0)
    assert left_s(row, 10, T0 + timedelta(seconds=elapsed_s)) == left


def told(position: int | None, left: float | None) -> Place:
    return Place(position, None if left is None else T0 + timedelta(seconds=left))


@pytest.mark.parametrize(
    ("row", "is_news"),
    [
        (told(1, 3), False),
        (told(2, 3), True),
        (told(None, 3), True),
        (told(1, None), True),
        (told(1, 3.4), False),
        (told(1, 30), True),
    ],
)
def test_what_is_news(row: Place, is_news: bool) -> None:
    news = moved({"a": row}, {"a": 1, "not ours": 2}, {}, Pace(4, 3), T0)
    assert news == ({"a": told(1, 3)} if is_news else {})


def test_the_page_hears_again_when_a_round_number_of_seconds_is_left() -> None:
    row = {"a": told(None, 9.9)}
    early, late = T0 - timedelta(seconds=0.05), T0 - timedelta(seconds=0.2)
    assert moved(row, {}, {"a": 9.9}, Pace(4, 30), T0, since=early) == {}
    assert moved(row, {}, {"a": 9.9}, Pace(4, 30), T0, since=late) == row


def test_one_that_neither_waits_nor_runs_is_no_news() -> None:
    assert moved({"a": told(3, 9)}, {}, {}, Pace(4, 2.5), T0) == {}


def test_one_that_runs_has_no_place_but_a_time() -> None:
    assert moved({"a": told(1, 9)}, {}, {"a": 4.0}, Pace(4, 2.5), T0) == {"a": told(None, 4)}


@given(left=st.floats(0, 500), wait=st.floats(0, 5000))
def test_her_time_never_jumps_up_by_more_than_a_fifth(left: float, wait: float) -> None:
    news = moved({"a": told(None, left)}, {}, {"a": wait}, Pace(4, 2.5), T0)
    if "a" in news and news["a"].ready_at:
        shown = (news["a"].ready_at - T0).total_seconds()
        assert shown <= 1.2 * max(left, 1) + 1e-5


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
