"""The scheduler's promises, held against whatever arrives."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_worker.contract import Lane
from gpu_worker.scheduler import BULK_TURN, Scheduler, Ticket

STEP_S = 0.1


def ticket(name: str, lane: Lane = Lane.LIVE, merchant: str = "ada", **told: object) -> Ticket:
    return Ticket(name, lane, merchant, joined_at=0.0, **told)  # type: ignore[arg-type]


def test_nothing_to_do() -> None:
    assert Scheduler().choose(4, 0) == []


def test_who_comes_first_runs_first_and_stays_until_done() -> None:
    scheduler = Scheduler()
    for name in "abc":
        scheduler.add(ticket(name))
    assert scheduler.choose(2, 0) == ["a", "b"]
    assert scheduler.choose(2, 0) == ["a", "b"]
    scheduler.remove("a")
    assert scheduler.choose(2, 0) == ["b", "c"]


def test_a_live_sample_takes_a_bulk_samples_slot_at_once() -> None:
    scheduler = Scheduler()
    for name in ("b1", "b2"):
        scheduler.add(ticket(name, Lane.BULK))
    assert scheduler.choose(2, 0) == ["b1", "b2"]
    scheduler.add(ticket("l1"))
    assert scheduler.choose(2, 0) == ["l1", "b1"]


def test_merchants_take_turns() -> None:
    scheduler = Scheduler()
    for n in range(6):
        scheduler.add(ticket(f"flood{n}", merchant="flood"))
    scheduler.add(ticket("ada1", merchant="ada"))
    scheduler.add(ticket("cleo1", merchant="cleo"))
    assert scheduler.choose(3, 0) == ["flood0", "ada1", "cleo1"]


def test_a_newcomer_does_not_jump_the_ring() -> None:
    scheduler = Scheduler()
    order = []
    for n in range(4):
        scheduler.add(ticket(f"a{n}", merchant="ada"))
    for n in range(4):
        (chosen,) = scheduler.choose(1, 0)
        order.append(chosen)
        scheduler.remove(chosen)
        scheduler.add(ticket(f"new{n}", merchant=f"new{n}"))
    assert order.count("a1") == 1
    assert order.index("a1") <= 2


def test_fewer_slots_pause_the_youngest() -> None:
    scheduler = Scheduler()
    for name in "abc":
        scheduler.add(ticket(name))
    scheduler.choose(3, 0)
    assert scheduler.choose(1, 0) == ["a"]
    assert scheduler.choose(3, 0) == ["a", "b", "c"]


def test_who_broke_a_batch_runs_alone() -> None:
    scheduler = Scheduler()
    for name in "abc":
        scheduler.add(ticket(name))
    scheduler.choose(3, 0)
    for name in "abc":
        scheduler.restart_alone(name)
    seen = []
    for _ in range(3):
        chosen = scheduler.choose(3, 0)
        assert len(chosen) == 1
        seen += chosen
        scheduler.remove(chosen[0])
    assert sorted(seen) == ["a", "b", "c"]


def test_bulk_keeps_a_twentieth_of_the_steps() -> None:
    scheduler = Scheduler()
    scheduler.add(ticket("b", Lane.BULK))
    scheduler.add(ticket("l"))
    steps = [scheduler.choose(1, 0) for _ in range(200)]
    assert steps.count(["b"]) == 200 // BULK_TURN


# --- whatever arrives ----------------------------------------------------------------------------


@dataclass
class Street:
    """Runs a scheduler against arrivals and counts what it did."""

    slots: int
    scheduler: Scheduler = field(default_factory=Scheduler)
    left: dict[str, int] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    done_at: dict[str, int] = field(default_factory=dict)
    steps: int = 0

    def arrive(self, made: Ticket, steps: int) -> None:
        made.joined_at = self.steps * STEP_S
        self.tickets[made.id], self.left[made.id] = made, steps
        self.scheduler.add(made)

    def turn(self) -> list[str]:
        chosen = self.scheduler.choose(self.slots, self.steps * STEP_S)
        self.steps += 1
        for name in chosen:
            self.left[name] -= 1
            if not self.left[name]:
                del self.left[name]
                self.done_at[name] = self.steps
                self.scheduler.remove(name)
        return chosen


arrivals = st.lists(
    st.tuples(
        st.sampled_from([Lane.LIVE, Lane.BULK]),
        st.sampled_from(["ada", "ben", "cleo"]),
        st.sampled_from(["", "small"]),
        st.booleans(),
        st.integers(1, 5),
        st.integers(0, 3),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=200)
@given(arrivals=arrivals, slots=st.integers(1, 5))
def test_every_step_keeps_the_rules_and_everybody_ends(
    arrivals: list[tuple[Lane, str, str, bool, int, int]], slots: int
) -> None:
    street = Street(slots)
    for n, (lane, merchant, bucket, alone, steps, pause) in enumerate(arrivals):
        made = ticket(f"t{n}", lane, merchant, bucket=bucket, alone=alone)
        street.arrive(made, steps)
        for _ in range(pause):
            _check(street, street.turn())
    bound = street.steps + 5 * len(arrivals) + 1
    while street.left:
        _check(street, street.turn())
        assert street.steps <= bound, "somebody starves"


def _check(street: Street, chosen: list[str]) -> None:
    assert len(chosen) <= street.slots
    assert len(set(chosen)) == len(chosen)
    assert not (street.tickets and street.left and not chosen), "idle with work to do"
    tickets = [street.tickets[name] for name in chosen]
    assert len({t.bucket for t in tickets}) <= 1
    assert len(chosen) <= 1 or not any(t.alone for t in tickets)


@settings(deadline=None, max_examples=60)
@given(
    steps=st.integers(1, 6),
    slots=st.integers(1, 3),
    odd=st.sampled_from(["bulk", "alone", "bucket", "merchant"]),
)
def test_nobody_starves_behind_an_endless_flood(steps: int, slots: int, odd: str) -> None:
    """A flood that always has the next one ready; one who is different waits in it."""
    street = Street(slots)
    for n in range(slots + 1):
        street.arrive(ticket(f"f{n}", merchant="flood"), steps)
    lane = Lane.BULK if odd == "bulk" else Lane.LIVE
    made = ticket("odd", lane, "cleo" if odd == "merchant" else "flood")
    made.alone, made.bucket = odd == "alone", "small" if odd == "bucket" else ""
    street.arrive(made, 2)
    for n in range(slots + 1, 400):
        street.turn()
        if "odd" in street.done_at:
            return
        while len(street.left) <= 2 * slots:
            street.arrive(ticket(f"f{n}-{len(street.tickets)}", merchant="flood"), steps)
    raise AssertionError("odd starved")


@settings(deadline=None, max_examples=60)
@given(slots=st.integers(1, 4), counts=st.tuples(st.integers(10, 40), st.integers(10, 40)))
def test_two_merchants_with_work_get_the_same_share(slots: int, counts: tuple[int, int]) -> None:
    street = Street(slots)
    for n in range(counts[0]):
        street.arrive(ticket(f"a{n}", merchant="ada"), 1)
    for n in range(counts[1]):
        street.arrive(ticket(f"b{n}", merchant="ben"), 1)
    served: Counter[str] = Counter()
    for _ in range(min(counts) // slots):
        served.update(street.tickets[name].merchant for name in street.turn())
    assert abs(served["ada"] - served["ben"]) <= 1
