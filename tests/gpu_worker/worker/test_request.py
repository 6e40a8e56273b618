"""The stages of a request: what follows what, whatever the worker's threads do, in any order."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gpu_worker.queue.leases import Claim
from gpu_worker.worker.bill import Bill
from gpu_worker.worker.book import Book
from gpu_worker.worker.request import MOVES, IllegalMoveError, Request, Stage

ROAD = [Stage.FETCHING, Stage.READY, Stage.RUNNING, Stage.LAST_STEP, Stage.LEAVING, Stage.GONE]
ILLEGAL = [(one, to) for one, to in product(Stage, Stage) if to not in MOVES[one]]


def request(job_id: str = "try_1", stage: Stage = Stage.FETCHING, losses: int = 0) -> Request:
    nobody: Any = None
    return Request(Claim(job_id, "1", "null:live:mer_ada", losses), nobody, nobody, stage)


def test_a_request_goes_from_its_claim_to_its_end() -> None:
    one = request()
    for stage in ROAD[1:]:
        one.move(stage)
    assert one.stage is Stage.GONE


@pytest.mark.parametrize(("begun", "to"), ILLEGAL)
def test_a_move_that_the_table_does_not_have_is_refused(begun: Stage, to: Stage) -> None:
    one = request(stage=begun)
    with pytest.raises(IllegalMoveError, match=f"try_1: from {begun} to {to}"):
        one.move(to)
    assert one.stage is begun


def test_every_stage_but_the_last_can_be_left_and_none_comes_back_from_the_end() -> None:
    leaves = {stage for stage in Stage if Stage.LEAVING in MOVES[stage]}
    assert leaves == set(Stage) - {Stage.LEAVING, Stage.GONE}
    assert MOVES[Stage.LEAVING] == {Stage.GONE}
    assert not MOVES[Stage.GONE]


@given(st.lists(st.sampled_from(Stage)))
def test_random_moves_never_come_back_from_the_end(tries: list[Stage]) -> None:
    one, seen = request(), [Stage.FETCHING]
    for to in tries:
        if to in MOVES[one.stage]:
            one.move(to)
            seen.append(to)
        else:
            with pytest.raises(IllegalMoveError):
                one.move(to)
    assert all(after in MOVES[before] for before, after in pairwise(seen))
    assert seen.count(Stage.LEAVING) <= 1
    assert seen.count(Stage.READY) <= 1, "its inputs come once"


class Threads(RuleBasedStateMachine):
    """Everything that the worker's threads ask of the book, in any order and about any request,
    also about one that is gone. What the book allows must never be an illegal move."""

    def __init__(self) -> None:
        super().__init__()
        self.bill = Bill()
        self.book = Book(self.bill)
        self.made: list[Request] = []
        self.told: list[Request] = []
        self.in_step_loop: dict[str, Request] = {}

    def pick(self, n: int) -> Request:
        return self.made[n % len(self.made)]

    @rule(job=st.integers(0, 3), is_suspect=st.booleans())
    def claim(self, job: int, is_suspect: bool) -> None:
        stage = Stage.SUSPECT if is_suspect else Stage.FETCHING
        self.made.append(request(f"try_{job}", stage, 2 if is_suspect else 0))
        self.book.add(self.made[-1])

    @rule()
    def begin_a_suspect(self) -> None:
        one = self.book.take_suspect()
        assert one is None or all(other.claim.runs_alone for other in self.book.all())

    @precondition(lambda self: self.made)
    @rule(n=st.integers(0, 99))
    def fetch(self, n: int) -> None:
        """A carrier fetches once; what it brings may come too late."""
        one = self.pick(n)
        if one.stage in (Stage.FETCHING, Stage.LEAVING, Stage.GONE):
            self.book.arrive(one, "its order")

    @rule()
    def step_loop_lets_go(self) -> None:
        for job_id in self.book.take_left():
            self.in_step_loop.pop(job_id, None)

    @rule()
    def step_loop_takes_in(self) -> None:
        """Anything may have happened since it let go."""
        for one in self.book.take_ready():
            assert one.id not in self.in_step_loop, "its earlier self is still at work"
            self.in_step_loop[one.id] = one

    @rule(job=st.integers(0, 3))
    def last_step(self, job: int) -> None:
        self.book.note_last_step([f"try_{job}"])

    @rule(job=st.integers(0, 3))
    def begin_again(self, job: int) -> None:
        self.book.note_begun(f"try_{job}")

    @precondition(lambda self: self.made)
    @rule(n=st.integers(0, 99))
    def end(self, n: int) -> None:
        if self.book.start_leaving(self.pick(n)):
            self.told.append(self.pick(n))

    @precondition(lambda self: self.told)
    @rule(n=st.integers(0, 99))
    def forget(self, n: int) -> None:
        self.book.forget(self.told[n % len(self.told)])

    def teardown(self) -> None:
        """Whoever was ready runs at the next turn: nobody is forgotten."""
        self.step_loop_lets_go()
        self.step_loop_takes_in()
        assert not [one for one in self.made if one.stage is Stage.READY]

    @invariant()
    def each_is_told_once_and_held_by_one_object(self) -> None:
        assert len({id(one) for one in self.told}) == len(self.told)
        held = {id(one) for one in self.book.all()}
        assert held == {id(one) for one in self.made if one.stage is not Stage.GONE}

    @invariant()
    def whoever_is_at_work_was_given_to_the_step_loop(self) -> None:
        at_work = (Stage.RUNNING, Stage.LAST_STEP)
        assert all(
            self.in_step_loop.get(one.id) is one for one in self.made if one.stage in at_work
        )


TestThreads = Threads.TestCase
