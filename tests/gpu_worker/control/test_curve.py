"""What a curve makes of what workers report."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_worker.control import Curve

TIMES = st.floats(0.01, 1e5)
REPORTS = st.lists(st.tuples(st.integers(1, 16), TIMES), min_size=1, max_size=60)


def curve(*reports: tuple[int, float]) -> Curve:
    made = Curve()
    for batch, ms in reports:
        made = made.with_step(batch, ms)
    return made


def test_it_tells_what_was_measured_and_reads_between() -> None:
    learned = curve((1, 63), (2, 123), (4, 243), (8, 483))
    assert learned.times_ms(8) == pytest.approx([63, 123, 183, 243, 303, 363, 423, 483])


def test_beyond_what_was_measured_it_goes_on_as_it_went() -> None:
    assert curve((1, 20.2), (2, 33.1)).times_ms(4) == pytest.approx([20.2, 33.1, 46.0, 58.9])


def test_after_one_point_larger_batches_look_worth_trying() -> None:
    one, two = curve((1, 60)).times_ms(2)
    assert (one, two) == (60, 90)


def test_nothing_reported_is_nothing_known() -> None:
    assert not Curve()
    assert Curve().times_ms(4) == ()


def test_a_bad_first_report_does_not_bar_a_size() -> None:
    assert curve((1, 60), (2, 9000)).times_ms(2)[1] <= 120


@given(reports=REPORTS, most=st.integers(1, 20))
def test_it_never_falls_and_never_costs_more_than_in_parts(
    reports: list[tuple[int, float]], most: int
) -> None:
    times = curve(*reports).times_ms(most)
    assert len(times) == most
    assert all(ms > 0 for ms in times)
    assert all(y >= x * (1 - 1e-9) for x, y in pairwise(times))
    each = [ms / b for b, ms in enumerate(times, start=1)]
    assert all(y <= x * (1 + 1e-9) for x, y in pairwise(each))


@given(odd=st.lists(TIMES, max_size=4), place=st.integers(0, 5))
def test_odd_reports_move_it_nowhere_while_they_are_few(odd: list[float], place: int) -> None:
    good = [(b, 3.0 + 60 * b) for _ in range(5) for b in (1, 2, 4)]
    mixed = [*good[: 3 * place], *((2, ms) for ms in odd), *good[3 * place :]]
    assert curve(*mixed).times_ms(4) == pytest.approx([63, 123, 183, 243])


@given(reports=REPORTS, around=st.lists(TIMES, max_size=12))
def test_it_survives_its_way_through_redis(
    reports: list[tuple[int, float]], around: list[float]
) -> None:
    made = curve(*reports)
    for ms in around:
        made = made.with_around(ms)
    fields = {name.encode(): text.encode() for name, text in made.to_redis().items()}
    back = Curve.from_redis(fields)
    assert back.times_ms(8) == pytest.approx(made.times_ms(8), abs=0.01)
    assert back.around_ms == pytest.approx(made.around_ms, abs=0.001)


@pytest.mark.parametrize("fields", [{b"1": b"fast"}, {b"0": b"3"}, {b"1": b"-3"}, {b"1": b"nan"}])
def test_what_cannot_be_read_is_learned_again(fields: dict[bytes, bytes]) -> None:
    assert not Curve.from_redis(fields)
