"""The chain that chooses the slots, against the same chain solved as linear equations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gpu_worker.control import best_slots, load
from gpu_worker.control.chain import NEARLY

STEPS = 50
PROFILES = {
    "A": lambda b: 3 + 60 * b,
    "B": lambda b: 7.3 + 12.9 * b,
    "C": lambda b: max(43.2, 9 + 16.8 * b),
}


def rates(profile: str, most: int = 8) -> list[float]:
    return [b / (STEPS * PROFILES[profile](b) / 1000) for b in range(1, most + 1)]


def solved(arrivals: float, ends: list[float], room: int) -> tuple[float, float, float]:
    """Waiting, running and rate from the balance equations of every state, by elimination."""
    slots = len(ends)
    flow = np.zeros((room + 1, room + 1))
    for jobs in range(room):
        flow[jobs, jobs + 1] += arrivals
        flow[jobs + 1, jobs] += ends[min(jobs + 1, slots) - 1]
    flow -= np.diag(flow.sum(axis=1))
    equations = np.vstack([flow.T, np.ones(room + 1)])
    share = np.linalg.lstsq(equations, np.append(np.zeros(room + 1), 1.0), rcond=None)[0]
    running = np.minimum(np.arange(room + 1), slots)
    ended = np.array([0.0, *(ends[min(n, slots) - 1] for n in range(1, room + 1))])
    return (
        float(share @ (np.arange(room + 1) - running)),
        float(share @ running),
        float(share @ ended),
    )


ENDS = st.lists(st.floats(0.2, 5.0), min_size=1, max_size=8)


@given(arrivals=st.floats(0.05, 8.0), ends=ENDS, room=st.integers(9, 40))
def test_it_is_the_chain_at_rest(arrivals: float, ends: list[float], room: int) -> None:
    found = load(arrivals, ends, room)
    expected = solved(arrivals, ends, room)
    told = (found.waiting, found.running, found.rate_per_s)
    assert told == pytest.approx(expected, rel=1e-5, abs=1e-6)


@given(arrivals=st.floats(0.05, 8.0), ends=ENDS, room=st.integers(9, 30))
def test_the_slots_are_those_of_the_shortest_stay(
    arrivals: float, ends: list[float], room: int
) -> None:
    def stay(slots: int) -> float:
        waiting, running, rate = solved(arrivals, ends[:slots], room)
        return (waiting / 2 + running) / rate

    chosen = best_slots(arrivals, ends, room)
    assert stay(chosen) <= min(stay(k) for k in range(1, len(ends) + 1)) * (1 + 1e-4)


@given(arrivals=st.floats(0.05, 8.0), ends=ENDS, before=st.integers(0, 9))
def test_the_slots_in_force_stay_while_they_are_nearly_as_good(
    arrivals: float, ends: list[float], before: int
) -> None:
    def stay(slots: int) -> float:
        return load(arrivals, ends[:slots]).stay_s

    best, chosen = best_slots(arrivals, ends), best_slots(arrivals, ends, before=before)
    stays = 1 <= before <= len(ends) and stay(before) <= NEARLY * stay(best)
    assert chosen == (before if stays else best)


@given(arrivals=st.floats(0.0, 1e4), ends=st.lists(st.floats(1e-3, 1e4), min_size=1, max_size=16))
@example(arrivals=5e-324, ends=[2.0])
def test_it_always_has_an_answer(arrivals: float, ends: list[float]) -> None:
    assert 1 <= best_slots(arrivals, ends) <= len(ends)


@pytest.mark.parametrize(
    ("profile", "load_share", "expected"),
    [
        ("A", 0.5, {1}),  # the device is full at one: together is only later
        ("B", 0.3, {1}),
        ("B", 1.2, {2, 3, 4, 5, 6, 7, 8}),  # one by one would never catch up
        ("C", 0.1, set(range(2, 9))),  # the second is free
        ("C", 9.0, {8}),  # nothing carries it: what draws the most
    ],
)
def test_slots_on_known_curves(profile: str, load_share: float, expected: set[int]) -> None:
    ends = rates(profile)
    assert best_slots(load_share * ends[0], ends) in expected
