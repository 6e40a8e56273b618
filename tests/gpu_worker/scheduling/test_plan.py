"""The scheduler's promises, held against whatever arrives, on a clock that only steps move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_worker.contract import Lane
from gpu_worker.scheduling.plan import OVERDUE_MS, PAUSED, TRY_EVERY, Scheduler
from gpu_worker.scheduling.run import Run

FLAT = {b: 50.0 + b for b in range(1, 9)}  # a wide device: mates cost nearly nothing
STEEP = {b: 50.0 * b for b in range(1, 9)}  # full at one: each mate costs a whole step


def ticket(
    name: str,
    lane: Lane = Lane.LIVE,
    merchant: str = "ada",
    bucket: str = "full",
    alone: bool = False,
) -> Run:
    return Run(name, lane, merchant, bucket, alone)


def with_tickets(*tickets: Run) -> Scheduler:
    scheduler = Scheduler()
    for one in tickets:
        scheduler.add(one)
    return scheduler


def test_nothing_to_do() -> None:
    assert Scheduler().choose(4) == []


def test_who_comes_first_runs_first_and_stays_until_done() -> None:
    scheduler = with_tickets(*map(ticket, "abc"))
    assert scheduler.choose(2) == ["a", "b"]
    assert scheduler.choose(2) == ["a", "b"]
    scheduler.remove("a")
    assert scheduler.choose(2) == ["b", "c"]


def test_a_live_sample_takes_a_bulk_samples_slot_at_once() -> None:
    scheduler = with_tickets(ticket("b1", Lane.BULK), ticket("b2", Lane.BULK))
    assert scheduler.choose(2) == ["b1", "b2"]
    scheduler.add(ticket("l1"))
    assert scheduler.choose(2, lambda _: FLAT) == ["l1", "b1"]
    scheduler.add(ticket("l2"))
    assert scheduler.choose(2, lambda _: FLAT) == ["l1", "l2"]
    scheduler.remove("l1")
    scheduler.remove("l2")
    assert scheduler.choose(2) == ["b1", "b2"], "paused, not forgotten"


def test_merchants_take_turns() -> None:
    flood = [ticket(f"flood{n}", merchant="flood") for n in range(6)]
    scheduler = with_tickets(
        *flood, ticket("ada1", merchant="ada"), ticket("cleo1", merchant="cleo")
    )
    assert scheduler.choose(3) == ["flood0", "ada1", "cleo1"]


def test_a_newcomer_gets_a_slot_of_one_who_has_several() -> None:
    scheduler = with_tickets(*(ticket(f"flood{n}", merchant="flood") for n in range(3)))
    assert scheduler.choose(2) == ["flood0", "flood1"]
    scheduler.add(ticket("ada1", merchant="ada"))
    assert scheduler.choose(2) == ["flood0", "ada1"]
    scheduler.remove("ada1")
    assert scheduler.choose(2) == ["flood0", "flood1"]


def test_a_newcomer_does_not_jump_the_ring() -> None:
    scheduler = with_tickets(*(ticket(f"a{n}", merchant="ada") for n in range(4)))
    order = []
    for n in range(4):
        (chosen,) = scheduler.choose(1)
        order.append(chosen)
        scheduler.remove(chosen)
        scheduler.add(ticket(f"new{n}", merchant=f"new{n}"))
    assert order.index("a1") <= 2


def test_fewer_slots_pause_the_youngest() -> None:
    scheduler = with_tickets(*map(ticket, "abc"))
    scheduler.choose(3)
    assert scheduler.choose(1) == ["a"]
    assert scheduler.choose(3) == ["a", "b", "c"]


def test_who_broke_a_batch_runs_alone() -> None:
    scheduler = with_tickets(*map(ticket, "abc"))
    scheduler.choose(3)
    for name in "abc":
        scheduler.restart_alone(name)
    seen = []
    for _ in range(3):
        (chosen,) = scheduler.choose(3)
        seen.append(chosen)
        scheduler.remove(chosen)
    assert sorted(seen) == ["a", "b", "c"]


def test_only_so_many_are_put_aside() -> None:
    """Who must run alone runs in turns with the others; who has not begun then waits."""
    tickets = [ticket(f"t{n}", alone=True) for n in range(30)]
    scheduler = with_tickets(*tickets)
    for _ in range(60):
        scheduler.spend(scheduler.choose(2), 50)
    assert sum(one.started is not None for one in tickets) == 2 + PAUSED


def test_a_new_size_begins_at_the_next_step() -> None:
    scheduler = with_tickets(ticket("a"))
    scheduler.spend(scheduler.choose(4), 50)
    scheduler.add(ticket("s", bucket="small"))
    assert scheduler.choose(4) == ["s"]
    scheduler.spend(["s"], 50)
    assert scheduler.choose(4) == ["a"]


BESIDE: list[tuple[str, Mapping[int, float], int, int]] = [
    ("nothing learned: none", {}, 1, 0),
    ("a full device: none", STEEP, 1, 0),
    ("a wide device: all slots", FLAT, 1, 3),
    ("a wide device, all slots taken", FLAT, 4, 0),
    ("only as far as it was seen", {1: 50, 2: 51}, 1, 1),
    ("a tenth, and no more", {1: 50, 2: 55, 3: 55.1}, 1, 1),
    ("a good batch vouches for those below it", {1: 50, 4: 54}, 1, 3),
]


@pytest.mark.parametrize(("case", "curve", "live", "bulk"), BESIDE)
def test_bulk_fills_spare_slots_while_that_costs_live_little(
    case: str, curve: Mapping[int, float], live: int, bulk: int
) -> None:
    scheduler = with_tickets(
        *(ticket(f"l{n}") for n in range(live)),
        *(ticket(f"b{n}", Lane.BULK) for n in range(4)),
    )
    lanes = Counter(name[0] for name in scheduler.choose(4, lambda _: curve))
    assert lanes == Counter(l=live, b=bulk), case


def test_a_larger_batch_is_tried_now_and_then() -> None:
    scheduler = with_tickets(ticket("l"), ticket("b", Lane.BULK))
    steps = [scheduler.choose(4) for _ in range(3 * TRY_EVERY)]
    assert steps.count(["l", "b"]) == 3
    assert steps.count(["l"]) == 3 * TRY_EVERY - 3


# --- whatever arrives ----------------------------------------------------------------------------

# Of the run's profile: the properties of long runs take a share of it, the cheap ones more.
EXAMPLES = settings().max_examples


@dataclass
class Street:
    """Runs a scheduler against arrivals; a step of b samples takes `curve[b]`."""

    slots: int
    curve: Mapping[int, float] = field(default_factory=lambda: FLAT)
    scheduler: Scheduler = field(default_factory=Scheduler)
    left: dict[str, int] = field(default_factory=dict)
    tickets: dict[str, Run] = field(default_factory=dict)
    had_ms: Counter[str] = field(default_factory=Counter)  # by merchant and by lane
    now_ms: float = 0.0
    steps: int = 0

    def arrive(self, made: Run, steps: int) -> None:
        self.tickets[made.id], self.left[made.id] = made, steps
        self.scheduler.add(made)

    def here(self, accept: Callable[[Run], bool] = lambda _: True) -> list[Run]:
        return [one for one in map(self.tickets.__getitem__, self.left) if accept(one)]

    def turn(self) -> list[str]:
        chosen = self.scheduler.choose(self.slots, lambda _: self.curve)
        if chosen:
            self._spend(chosen, self.curve[len(chosen)])
        self.steps += 1
        for name in chosen:
            self.left[name] -= 1
            if not self.left[name]:
                del self.left[name]
                self.scheduler.remove(name)
        return chosen

    def _spend(self, chosen: list[str], took_ms: float) -> None:
        self.now_ms += took_ms
        self.scheduler.spend(chosen, took_ms)
        for name in chosen:
            one = self.tickets[name]
            self.had_ms.update({one.merchant: 0, one.lane.value: 0})
            self.had_ms[one.merchant] += took_ms / len(chosen)  # type: ignore[assignment]
            self.had_ms[one.lane.value] += took_ms / len(chosen)  # type: ignore[assignment]


lanes = st.sampled_from([Lane.LIVE, Lane.BULK])
buckets = st.sampled_from(["full", "small"])
curves = st.sampled_from([FLAT, STEEP])
arrivals = st.lists(
    st.tuples(
        lanes,
        st.sampled_from(["ada", "ben", "cleo"]),
        buckets,
        st.booleans(),
        st.integers(1, 5),
        st.integers(0, 3),
        st.integers(1, 5),
    ),
    max_size=30,
)


@settings(max_examples=2 * EXAMPLES)
@given(arrivals=arrivals, curve=curves)
def test_every_step_keeps_the_rules_and_everybody_ends(
    arrivals: list[tuple[Lane, str, str, bool, int, int, int]], curve: Mapping[int, float]
) -> None:
    street = Street(5, curve)
    for n, (lane, merchant, bucket, alone, steps, pause, slots) in enumerate(arrivals):
        street.arrive(ticket(f"t{n}", lane, merchant, bucket, alone), steps)
        street.slots = slots
        for _ in range(pause):
            _check(street, street.turn())
    bound = street.steps + 5 * len(arrivals) + 1
    while street.left:
        _check(street, street.turn())
        assert street.steps <= bound, "somebody starves"


def _check(street: Street, chosen: list[str]) -> None:
    assert len(chosen) <= street.slots
    assert len(set(chosen)) == len(chosen)
    assert chosen or not street.left, "idle with work to do"
    tickets = [street.tickets[name] for name in chosen]
    assert len({t.bucket for t in tickets}) <= 1
    assert len(chosen) <= 1 or not any(t.alone for t in tickets)
    for lane in Lane:
        begun = street.here(lambda t, lane=lane: t.lane is lane and t.started is not None)  # type: ignore[misc]
        assert len(begun) <= 5 + PAUSED, "too many are put aside"


@given(
    slots=st.integers(1, 5),
    live=st.integers(0, 4),
    bulk=st.integers(0, 8),
    turns=st.integers(0, 60),
    curve=curves,
)
def test_a_live_sample_starts_at_the_next_step(
    slots: int, live: int, bulk: int, turns: int, curve: Mapping[int, float]
) -> None:
    """Whatever bulk does, as long as there is a slot without a live sample."""
    street = Street(slots, curve)
    for n in range(bulk):
        street.arrive(ticket(f"b{n}", Lane.BULK, f"m{n % 3}"), 1000)
    for n in range(min(live, slots - 1)):
        street.arrive(ticket(f"l{n}", merchant=f"m{n % 2}"), 1000)
    for _ in range(turns):
        street.turn()
    street.arrive(ticket("new", merchant="cleo"), 1)
    assert "new" in street.turn()


ODD = ["bulk", "alone", "bucket", "merchant", "bulk of another size"]


@given(
    steps=st.integers(1, 6),
    slots=st.integers(1, 3),
    odd=st.sampled_from(ODD),
    crowd=st.booleans(),
    lookbook=st.integers(0, 2),
    curve=curves,
)
def test_nobody_starves_behind_an_endless_flood(
    steps: int, slots: int, odd: str, crowd: bool, lookbook: int, curve: Mapping[int, float]
) -> None:
    """A flood that always has the next one ready, of one merchant or each of a new one, and a
    lookbook beside it; one who is different waits."""
    street = Street(slots, curve)
    live = 1 if curve is FLAT and lookbook else 2 * slots + 1  # one: a lookbook fills spare slots

    def flood() -> None:
        while len(street.here(lambda t: t.id.startswith("f"))) < live:
            name = f"f{len(street.tickets)}"
            street.arrive(ticket(name, merchant=name if crowd else "flood"), steps)
        while len(street.here(lambda t: t.id.startswith("look"))) < lookbook:
            street.arrive(ticket(f"look{len(street.tickets)}", Lane.BULK, "book"), 5)

    flood()
    lane = Lane.BULK if odd.startswith("bulk") else Lane.LIVE
    merchant = "cleo" if odd == "merchant" else "flood"
    bucket = "small" if odd in {"bucket", "bulk of another size"} else "full"
    street.arrive(ticket("odd", lane, merchant, bucket, odd == "alone"), 2)
    for _ in range(800):
        street.turn()
        if "odd" not in street.left:
            return
        flood()
    raise AssertionError("odd starved")


@settings(max_examples=EXAMPLES // 2)
@given(
    slots=st.integers(1, 4),
    steps=st.tuples(st.integers(1, 25), st.integers(1, 25), st.integers(1, 25)),
    lane=lanes,
    bucket=buckets,
    curve=curves,
)
def test_merchants_with_work_get_the_same_milliseconds(
    slots: int, steps: tuple[int, int, int], lane: Lane, bucket: str, curve: Mapping[int, float]
) -> None:
    """However long their jobs are; one of them may be of another size."""
    street = Street(slots, curve)
    merchants = dict(zip(["ada", "ben", "cleo"], steps, strict=True))
    for _ in range(300):
        for merchant, length in merchants.items():
            while len(street.here(lambda t, m=merchant: t.merchant == m)) < slots + 1:  # type: ignore[misc]
                size = bucket if merchant == "cleo" else "full"
                name = f"t{len(street.tickets)}"
                street.arrive(ticket(name, lane, merchant, size), length)
        street.turn()
    had = [street.had_ms[merchant] for merchant in merchants]
    assert max(had) - min(had) <= 2 * max(steps) * curve[1] + curve[slots]


@settings(max_examples=2 * EXAMPLES // 5)
@given(
    slots=st.integers(1, 4),
    steps=st.integers(1, 25),
    bucket=buckets,
    curve=curves,
    endless=st.booleans(),
)
def test_bulk_keeps_a_twentieth_of_the_time_under_any_flood(
    slots: int, steps: int, bucket: str, curve: Mapping[int, float], endless: bool
) -> None:
    street = Street(slots, curve)
    street.arrive(ticket("b", Lane.BULK, bucket=bucket), 10_000)
    for _ in range(500):
        while len(street.left) <= slots + endless:
            street.arrive(ticket(f"l{len(street.tickets)}"), steps)
        street.turn()
    owed = 0.05 * street.now_ms - street.had_ms["bulk"]
    assert owed <= OVERDUE_MS + curve[slots]
    if curve is STEEP:  # and no more than that, where it costs the live ones something
        assert -owed <= curve[slots] + street.steps / TRY_EVERY * curve[slots]


@settings(max_examples=EXAMPLES // 5)
@given(slots=st.integers(2, 8), bulk=st.integers(2, 12))
def test_a_lookbook_slows_a_lone_live_sample_by_a_twentieth(slots: int, bulk: int) -> None:
    """Where a mate costs a whole step, though there are slots to spare."""
    street = Street(slots, STEEP)
    for n in range(bulk):
        street.arrive(ticket(f"b{n}", Lane.BULK, "ben"), 10_000)
    for _ in range(50):
        street.turn()
    street.arrive(ticket("l"), 200)
    began = street.now_ms
    while "l" in street.left:
        street.turn()
    assert street.now_ms - began <= 200 * STEEP[1] * 1.12 + STEEP[slots]
