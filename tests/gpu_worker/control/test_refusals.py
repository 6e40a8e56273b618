"""Nobody is refused without a way out, whatever is remembered, heard or told by a clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_worker.contract import LADDER, Law, Mode
from gpu_worker.control import Curve, Memory, Override, Seen, Terms, View, decide

SIZES = [LADDER[0].size, LADDER[-1].size, "photo"]
NAMES = [tier.name for tier in LADDER]
TERMS = Terms()
TURNS = 80  # of half a second

reports = st.lists(st.floats(0, 1e8).map("{:.3f}".format), min_size=1, max_size=9).map(" ".join)
words = reports | st.sampled_from(["", "nan", "inf", "-1", "x"])
remembered = st.dictionaries(st.sampled_from(["1", "2", "4", "8", "0", "around"]), words).map(
    lambda hash_: Curve.from_redis({k.encode(): v.encode() for k, v in hash_.items()})
)
heartbeats = st.builds(
    Seen,
    max_slots=st.integers(1, 16),
    held=st.integers(0, 40),
    live=st.integers(0, 40),
    curves=st.dictionaries(st.sampled_from(SIZES), remembered),
    steps=st.dictionaries(st.sampled_from([*NAMES, "photo"]), st.integers(1, 100)),
)
overrides = st.builds(
    Override,
    batch_size=st.none() | st.integers(1, 8),
    tier=st.none() | st.sampled_from([*NAMES, "moon"]),
    mode=st.none() | st.sampled_from(Mode),
)
views = st.builds(
    View,
    live_waiting=st.integers(0, 600),
    bulk_waiting=st.integers(0, 600),
    average_wait_s=st.floats(0, 1e6),
    arrived=st.integers(0, 10**9),
    workers=st.lists(heartbeats, max_size=3).map(tuple),
    override=overrides,
)
clocks = st.floats(-1e9, 4e9)
terms = st.builds(Terms, law=st.sampled_from([Law.LEARNED, Law.THRESHOLDS]))


@given(turns=st.lists(st.tuples(views, clocks), min_size=1, max_size=4), terms=terms)
def test_an_engine_whose_line_is_empty_is_never_shed(
    turns: list[tuple[View, float]], terms: Terms
) -> None:
    """Also after any history, with clocks that jump."""
    memory = Memory()
    for view, now in turns:
        policy, memory = decide(view, memory, now, terms)
        assert policy.retry_after_s == 0 or (view.live_waiting and view.workers)
        empty, _ = decide(replace(view, live_waiting=0), memory, now, terms)
        assert empty.retry_after_s == 0


@dataclass
class Shop:
    """A worker of one slot, its line, and a server that heeds the policy; a shopper comes every
    half second. `took_s`: what a picture really takes."""

    seen: Seen
    took_s: float
    memory: Memory = field(default_factory=Memory)
    line: int = 0
    drawn: int = 0
    refused_in_a_row: int = 0
    busy_until: float = 0.0

    def turn(self, now: float) -> None:
        view = View(workers=(self.seen,), live_waiting=self.line, arrived=self.drawn + self.line)
        policy, self.memory = decide(view, self.memory, now, TERMS)
        if policy.retry_after_s:
            self.refused_in_a_row += 1
        else:
            self.line, self.refused_in_a_row = self.line + 1, 0
        if self.line and now >= self.busy_until:
            self._draw(now)

    def _draw(self, now: float) -> None:
        self.line, self.drawn, self.busy_until = self.line - 1, self.drawn + 1, now + self.took_s
        size = LADDER[0].size
        curve = self.seen.curves.get(size, Curve()).with_step(1, self.took_s * 1000)
        self.seen = replace(self.seen, curves={**self.seen.curves, size: curve})


@settings(max_examples=3 * settings().max_examples // 10)  # each is 80 turns
@given(
    curves=st.dictionaries(st.sampled_from(SIZES), remembered),
    steps=st.dictionaries(st.sampled_from(NAMES), st.integers(1, 100)),
    took_s=st.floats(0.01, 5),
)
def test_whatever_was_remembered_pictures_go_on_being_drawn(
    curves: dict[str, Curve], steps: dict[str, int], took_s: float
) -> None:
    shop = Shop(Seen(max_slots=1, curves=curves, steps=steps), took_s)
    for turn in range(TURNS):
        shop.turn(1000 + turn / 2)
        assert shop.refused_in_a_row <= 2 * (took_s + 1) * (shop.line + 1)
    assert shop.drawn >= 0.5 * TURNS / 2 / (took_s + 0.5)


def test_an_engine_of_one_step_that_says_so_is_not_taken_for_one_of_fifty() -> None:
    """After a restart: the curve is remembered, and nothing was drawn yet."""
    curves = {LADDER[0].size: Curve().with_step(1, 1600)}
    idle = Seen(curves=curves, steps=dict.fromkeys(NAMES, 1))
    policy, _ = decide(View(workers=(idle,)), Memory(), 1000.0, TERMS)
    assert (policy.tier, policy.mode) == ("full", Mode.VIP)
    assert policy.predicted_s == pytest.approx(1.6)
