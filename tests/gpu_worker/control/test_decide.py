"""The law as a whole: what it decides for an engine that it sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_worker.contract import LADDER, Law, Mode, Policy
from gpu_worker.control import (
    Curve,
    Memory,
    Override,
    Seen,
    Terms,
    View,
    decide,
    remember,
    rungs,
    wanted,
    wanted_workers,
)

TERMS = Terms()
SIMPLE = Terms(law=Law.THRESHOLDS)


def curve(step_ms: Callable[[int], float], most: int = 8) -> Curve:
    made = Curve()
    for batch in range(1, most + 1):
        made = made.with_step(batch, step_ms(batch))
    return made


def gpu(step_ms: Callable[[int], float] = lambda b: 3 + 60 * b, **changes: Any) -> Seen:
    """A worker of 50 steps that has measured itself; small pictures are seven times as fast."""
    curves = {
        "768x1024": curve(step_ms),
        "384x512": curve(lambda b: step_ms(b) / 7),
    }
    return Seen(device="gpu", max_slots=8, curves=curves, steps={"full": 50}, **changes)


def settled(view: View, terms: Terms = TERMS, seconds: float = 30.0) -> tuple[Policy, Memory]:
    """The policy after the view has stayed as it is for a while."""
    memory, now = Memory(), 1000.0
    policy, memory = decide(view, memory, now, terms)
    while now < 1000 + seconds:
        now += 0.5
        policy, memory = decide(view, memory, now, terms)
    return policy, memory


def test_an_idle_engine_draws_the_best_it_can() -> None:
    policy, _ = settled(View(workers=(gpu(),)))
    assert (policy.batch_size, policy.tier, policy.mode) == (1, "full", Mode.VIP)
    assert policy.predicted_s == pytest.approx(3.15, rel=0.01)
    assert policy.retry_after_s == 0


def test_a_fast_growing_line_gets_all_slots() -> None:
    policy, _ = settled(View(workers=(gpu(lambda b: 7.3 + 12.9 * b),), bulk_waiting=300))
    assert (policy.batch_size, policy.mode) == (8, Mode.SURGE)
    assert policy.tier == "full"  # bulk waits for nobody and nobody waits for it


def test_on_a_full_device_a_lookbook_gets_all_slots_and_a_flood_of_shoppers_does_not() -> None:
    lookbook, _ = settled(View(workers=(gpu(),), bulk_waiting=300, live_waiting=1))
    flood, _ = settled(View(workers=(gpu(),), bulk_waiting=1, live_waiting=300))
    assert lookbook.batch_size == 8
    assert flood.batch_size < 8


def test_a_line_that_grows_and_shrinks_by_one_does_not_change_the_slots_each_time() -> None:
    """On a device that is full at one, nearly any number is as good when the load is high."""
    memory, told = came(0.28, 600), []
    for turn in range(40):
        view = View(workers=(gpu(),), live_waiting=turn % 4, arrived=168)
        policy, memory = decide(view, memory, 1600 + turn / 2, replace(TERMS, target_s=100))
        told.append(policy.batch_size)
    assert sum(a != b for a, b in pairwise(told)) <= 1


def test_a_second_worker_halves_the_wait() -> None:
    one_rung = replace(TERMS, tiers=LADDER[:1])
    alone, _ = settled(View(workers=(gpu(),), live_waiting=4), one_rung)
    pair, _ = settled(View(workers=(gpu(), gpu()), live_waiting=4), one_rung)
    assert pair.predicted_s < 0.7 * alone.predicted_s
    assert pair.rate_per_s == pytest.approx(2 * alone.rate_per_s, rel=0.01)


def test_a_slow_worker_beside_a_fast_one_counts_by_its_speed() -> None:
    slow, fast = gpu(lambda b: 600 * b), gpu(lambda b: 60 * b)
    policy, _ = settled(View(workers=(slow, fast)))
    assert policy.rate_per_s == pytest.approx(1 / 30 + 1 / 3, rel=0.01)


# --- tiers ---------------------------------------------------------------------------------------


def test_a_line_lowers_the_tier_at_once_and_its_end_raises_it_rung_by_rung() -> None:
    busy, idle = View(workers=(gpu(),), live_waiting=4), View(workers=(gpu(),))
    low, memory = decide(busy, Memory(), 1000.0, TERMS)
    assert (low.tier, low.mode) == ("steps_20", Mode.DEGRADED)
    told = []
    for turn in range(1, 30):
        policy, memory = decide(idle, memory, 1000 + turn / 2, TERMS)
        told.append(policy.tier)
    assert told[:10] == ["steps_20"] * 10  # easy must last 5 s
    assert told[10:20] == ["steps_30"] * 10
    assert told[20:] == ["full"] * 9


def test_a_target_near_a_picture_alone_does_not_keep_the_best_away() -> None:
    terms = replace(TERMS, target_s=3.7)  # 0.7 of it is less than the 3.15 s of a picture alone
    _, memory = decide(View(workers=(gpu(),), live_waiting=9), Memory(), 1000.0, terms)
    assert memory.rung > 0
    for turn in range(1, 60):
        policy, memory = decide(View(workers=(gpu(),)), memory, 1000 + turn / 2, terms)
    assert policy.tier == "full"


def test_who_would_wait_thrice_the_target_is_sent_away_for_as_long_as_it_takes() -> None:
    policy, _ = settled(View(workers=(gpu(),), live_waiting=200))
    assert policy.tier == LADDER[-1].name
    assert policy.predicted_s > 3 * TERMS.target_s
    assert policy.retry_after_s >= policy.predicted_s - TERMS.target_s


LINES = st.lists(st.integers(0, 60), min_size=1, max_size=40)


@given(lines=LINES)
def test_of_any_line_the_tier_falls_as_far_as_needed_and_climbs_one_by_one(
    lines: list[int],
) -> None:
    names = [tier.name for tier in LADDER]
    memory = Memory()
    for turn, waiting in enumerate(lines):
        before = memory.rung
        view = View(workers=(gpu(),), live_waiting=waiting)
        policy, memory = decide(view, memory, 1000 + turn / 2, TERMS)
        rung = names.index(policy.tier)
        assert rung >= before - 1
        assert rung == len(names) - 1 or policy.predicted_s <= 0.9 * TERMS.target_s + 0.01
        assert (policy.mode is Mode.DEGRADED) == (rung > 0)


# --- engines that cannot step, or of which nothing is known --------------------------------------


def test_an_engine_of_one_step_knows_no_tiers() -> None:
    seen = Seen(
        max_slots=4,
        curves={"768x1024": curve(lambda b: 300 * b, 4)},
        steps={"full": 1},
    )
    policy, _ = settled(View(workers=(seen,), live_waiting=20))
    assert policy.tier == "full"
    assert policy.picture_s == pytest.approx(0.3, rel=0.01)
    assert 1 <= policy.batch_size <= 4
    assert [rung.tier.name for rung in rungs((seen,), TERMS)] == ["full"]


def test_the_tailors_sizes_are_words_and_it_works_too() -> None:
    curves = {"photo": curve(lambda b: 200 * b, 1), "garment": curve(lambda b: 400 * b, 1)}
    seen = Seen(max_slots=1, curves=curves, steps={"photo": 1, "garment": 1})
    policy, _ = settled(View(workers=(seen,), live_waiting=3))
    assert (policy.batch_size, policy.tier) == (1, "full")
    assert 0.2 <= policy.picture_s <= 0.4


def test_an_engine_of_four_steps_has_the_plans_proportions() -> None:
    seen = replace(gpu(), steps={"full": 4})
    full, thirty, twenty, _ = rungs((seen,), TERMS)
    assert full.at(1) == pytest.approx(4 * 0.063)
    assert [thirty.at(1), twenty.at(1)] == pytest.approx([2 * 0.063] * 2)


def test_a_size_never_seen_is_guessed_by_its_pixels() -> None:
    seen = replace(gpu(), curves={"768x1024": curve(lambda b: 80 * b)})
    *_, small = rungs((seen,), TERMS)
    assert small.at(1) == pytest.approx(20 * 0.020)


@pytest.mark.parametrize("workers", [(), (Seen(max_slots=2),), (Seen(max_slots=8),)])
def test_while_nothing_is_learned_the_settings_hold(workers: tuple[Seen, ...]) -> None:
    policy, _ = settled(View(workers=workers, live_waiting=100))
    most = max((seen.max_slots for seen in workers), default=4)
    assert policy.batch_size == min(4, most)
    assert (policy.tier, policy.predicted_s, policy.retry_after_s) == ("full", 0, 0)


# --- thresholds ----------------------------------------------------------------------------------

DEPTHS = [
    (0, 1, Mode.VIP),
    (10, 1, Mode.VIP),
    (11, 4, Mode.ECONOMY),
    (50, 4, Mode.ECONOMY),
    (51, 8, Mode.SURGE),
    (5000, 8, Mode.SURGE),
]


@pytest.mark.parametrize(("depth", "slots", "mode"), DEPTHS)
def test_thresholds_go_by_depth_alone(depth: int, slots: int, mode: Mode) -> None:
    for view in (View(live_waiting=depth), View(bulk_waiting=depth, workers=(gpu(),))):
        policy, _ = decide(view, Memory(), 1000.0, SIMPLE)
        assert (policy.batch_size, policy.mode, policy.tier) == (slots, mode, "full")
        assert policy.law is Law.THRESHOLDS


def test_thresholds_degrade_by_the_average_wait() -> None:
    view = View(live_waiting=5, average_wait_s=10.1)
    policy, _ = decide(view, Memory(), 1000.0, SIMPLE)
    assert (policy.batch_size, policy.tier, policy.mode) == (1, LADDER[-1].name, Mode.DEGRADED)
    policy, _ = decide(replace(view, average_wait_s=10.0), Memory(), 1000.0, SIMPLE)
    assert (policy.tier, policy.mode) == ("full", Mode.VIP)


# --- an operator's word --------------------------------------------------------------------------

ASKED = [
    (Override(batch_size=8), (8, "full", Mode.VIP)),
    (Override(tier="steps_30"), (1, "steps_30", Mode.VIP)),
    (Override(mode=Mode.SURGE), (8, "full", Mode.SURGE)),
    (Override(mode=Mode.DEGRADED), (1, LADDER[-1].name, Mode.DEGRADED)),
    (Override(batch_size=2, mode=Mode.ECONOMY, tier="small"), (2, "small", Mode.ECONOMY)),
    (Override(tier="moon"), (1, "full", Mode.VIP)),
]


@pytest.mark.parametrize(("asked", "expected"), ASKED)
def test_an_override_holds_what_it_names(asked: Override, expected: tuple[int, str, Mode]) -> None:
    policy, _ = decide(View(workers=(gpu(),), override=asked), Memory(), 1000.0, TERMS)
    assert (policy.batch_size, policy.tier, policy.mode) == expected
    assert policy.law is Law.OVERRIDE
    assert policy.predicted_s > 0


# --- arrivals and scale --------------------------------------------------------------------------


def came(rate_per_s: float, seconds: float) -> Memory:
    memory = Memory()
    for turn in range(int(seconds * 2) + 1):
        memory = remember(memory, int(turn / 2 * rate_per_s), 1000 + turn / 2, TERMS)
    return memory


def test_the_history_of_a_day_stays_small() -> None:
    memory = came(2.0, 3600)
    assert len(memory.counts) < 70
    assert memory.counts[-1][0] - memory.counts[0][0] == pytest.approx(300, abs=6)


@pytest.mark.parametrize("seconds", [20, 200, 2000])
def test_a_steady_rate_is_known_for_what_it_is(seconds: float) -> None:
    from gpu_worker.control.arrivals import mean_per_s

    assert mean_per_s(came(2.0, seconds).counts, TERMS) == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize(("later_s", "expected"), [(0.5, 0.95), (5, 6.3), (600, 10), (-3600, 10)])
def test_what_waits_counts_by_and_by_unless_the_clock_was_set(
    later_s: float, expected: float
) -> None:
    memory = Memory(backlog=0.0, looked_at=5000.0)
    view = View(workers=(gpu(),), live_waiting=10)
    _, memory = decide(view, memory, 5000 + later_s, TERMS)
    assert memory.backlog == pytest.approx(expected, abs=0.03)


def test_a_counter_that_redis_lost_begins_anew() -> None:
    memory = remember(came(2.0, 100), 0, 1101.0, TERMS)
    assert memory.counts == ((1101.0, 0),)


def test_one_worker_is_enough_for_what_one_can_draw() -> None:
    memory = came(0.2, 400)  # of 0.3175 a second
    assert wanted_workers(View(workers=(gpu(),)), memory, TERMS) == 1


def test_a_sale_asks_for_more_at_once() -> None:
    memory = came(0.2, 400)
    view = View(workers=(gpu(held=1),), live_waiting=60)
    assert wanted_workers(view, memory, TERMS) == 4


@pytest.mark.parametrize(("waiting", "expected"), [(0, 0), (1, 1), (500, 1)])
def test_an_engine_without_workers_gets_its_first(waiting: int, expected: int) -> None:
    assert wanted_workers(View(bulk_waiting=waiting), Memory(), TERMS) == expected


@given(
    arrivals=st.floats(0, 100),
    work_s=st.floats(0, 1e5),
    more=st.floats(0, 1e4),
    workers=st.integers(0, 50),
)
def test_more_work_never_asks_for_fewer(
    arrivals: float, work_s: float, more: float, workers: int
) -> None:
    def ask(work: float) -> int:
        return wanted(
            arrivals_per_s=arrivals, worker_s=3.0, work_s=work, workers=workers, terms=TERMS
        )

    assert ask(work_s) <= ask(work_s + more)
    assert ask(work_s) >= arrivals * 3.0 / 0.75 - 1e-6
