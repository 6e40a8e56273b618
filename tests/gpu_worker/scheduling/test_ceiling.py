"""A device's ceiling: found by breaking, kept while it holds, tried again now and then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gpu_worker.scheduling.ceiling import CALM_STEPS, Ceiling


def test_there_is_none_until_memory_runs_out() -> None:
    ceiling = Ceiling()
    ceiling.held(8)
    assert ceiling.most is None


def test_it_is_halved_until_it_holds() -> None:
    ceiling = Ceiling()
    for batch, most in [(8, 4), (4, 2), (2, 1), (1, 1)]:
        ceiling.broke(batch)
        assert ceiling.most == most


def test_one_more_is_tried_after_a_calm_time_and_given_up_without_loss() -> None:
    ceiling = Ceiling()
    ceiling.broke(8)
    steps = 0
    while ceiling.most == 4:
        ceiling.held(4)
        steps += 1
    assert steps > CALM_STEPS
    assert ceiling.most == 5
    ceiling.broke(5)
    assert ceiling.most == 4


@given(truth=st.integers(1, 16), asked=st.integers(1, 16))
def test_it_finds_what_holds_and_seldom_breaks(truth: int, asked: int) -> None:
    ceiling = Ceiling()
    broken = 0
    for _ in range(20_000):
        batch = min(asked, ceiling.most or asked)
        if batch > truth:
            ceiling.broke(batch)
            broken += 1
        else:
            ceiling.held(batch)
    assert (ceiling.most or asked) >= min(truth, asked)
    assert broken <= 12
