"""What an engine does for one sample alone goes on beside the steps, where the engine allows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from gpu_worker.contract import Lane, Reason
from gpu_worker.engine import DeviceLostError, Order, OutOfMemoryError, Picture, Refusal
from gpu_worker.engines.null import NullSample, RecordingEngine
from gpu_worker.scheduling.loop import Finished, Progress, Runner
from gpu_worker.scheduling.plan import Scheduler
from gpu_worker.scheduling.run import Run
from gpu_worker.scheduling.side_thread import SideThread
from tests.gpu_worker.scheduling.test_loop import order
from tests.waiting import wait_for

PATIENCE_S = 20


class Aside(RecordingEngine):
    """Waits, where an order's name says so, until another one has stepped."""

    has_side_thread = True

    def __init__(self, steps: int = 3):
        super().__init__(a_ms=1, steps=steps)
        self.stepped = threading.Event()
        self.threads: dict[str, set[int]] = {"admit": set(), "step": set(), "finish": set()}

    def admit(self, order: Order) -> NullSample:
        self.threads["admit"].add(threading.get_ident())
        if order.id == "slow to begin":
            assert self.stepped.wait(PATIENCE_S)
        if order.id == "unfit":
            raise Refusal(Reason.NOBODY_FOUND)
        return super().admit(order)

    def step(self, samples: Sequence[NullSample]) -> None:
        self.threads["step"].add(threading.get_ident())
        super().step(samples)
        if any(sample.order.id == "other" for sample in samples):
            self.stepped.set()

    def finish(self, sample: NullSample) -> Picture:
        self.threads["finish"].add(threading.get_ident())
        if sample.order.id == "slow to end":
            self.stepped.clear()
            assert self.stepped.wait(PATIENCE_S)
        if sample.order.id == "lost":
            raise DeviceLostError("gone")
        if sample.order.id == "ugly":
            raise Refusal(Reason.SELF_CHECK_FAILED)
        return super().finish(sample)


def test_what_is_done_takes_no_longer_because_nobody_asks_for_it() -> None:
    beside, begun = SideThread[None](), threading.Event()
    began = time.monotonic()
    beside.ask("try_1", "admit", lambda event: event.set(), begun)
    assert begun.wait(PATIENCE_S)
    wait_for(lambda: beside.busy_since == float("inf"))
    done_within_s = time.monotonic() - began
    (answer,) = beside.answers(within_s=PATIENCE_S)
    assert answer.took_s <= done_within_s


def runner(engine: RecordingEngine, *names: str, alone: bool = False) -> Runner:
    made = Runner(engine, Scheduler(), lambda order: order)
    for name in names:
        made.add(Run(name, Lane.LIVE, "ada", alone=alone, order=order(name)))
    return made


class Begun:
    """A runner whose orders can be waited for: until they are read in nobody steps."""

    def __init__(self, engine: RecordingEngine):
        self._begun: set[str] = set()
        self.runner = Runner(engine, Scheduler(), lambda order: order, on_start=self._note)

    def _note(self, progress: Progress) -> None:
        self._begun.add(progress.id)

    def add(self, *names: str) -> None:
        for name in names:
            self.runner.add(Run(name, Lane.LIVE, "ada", order=order(name)))

    def wait_for(self, *names: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not self._begun.issuperset(names):
            assert time.monotonic() < until
            self.runner.turn(0)  # takes what was read in, and has no slot for a step


def run(made: Runner, until: str | None = None) -> dict[str, Finished]:
    ended: dict[str, Finished] = {}
    deadline = threading.Event()
    timer = threading.Timer(PATIENCE_S, deadline.set)
    timer.start()
    while len(made) and (until is None or until not in ended) and not deadline.is_set():
        ended |= {end.id: end for end in made.turn(8).finished}
    timer.cancel()
    assert not deadline.is_set()
    return ended


def test_one_is_turned_into_its_picture_while_another_steps() -> None:
    """Were it not beside, the one that waits for the other's step would wait for ever."""
    engine = Aside(steps=40)
    made = runner(engine, "slow to end")
    for _ in range(20):
        made.turn(8)
    made.add(Run("other", Lane.LIVE, "ada", order=order("other")))
    ended = run(made)
    assert {name: type(end.result) for name, end in ended.items()} == {
        "slow to end": Picture, "other": Picture,
    }  # fmt: skip
    assert list(ended) == ["slow to end", "other"]
    assert not engine.threads["step"] & (engine.threads["admit"] | engine.threads["finish"])


def test_one_is_read_in_while_another_steps() -> None:
    engine = Aside()
    made = Begun(engine)
    made.add("other")
    made.wait_for("other")
    made.add("slow to begin")
    made.runner.turn(8)
    made.wait_for("slow to begin")
    assert set(run(made.runner)) == {"other", "slow to begin"}
    assert engine.arrived[:2] == [["other"], ["other", "slow to begin"]]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("unfit", Reason.NOBODY_FOUND), ("ugly", Reason.SELF_CHECK_FAILED)],
)
def test_who_is_refused_beside_is_refused_alone(name: str, reason: Reason) -> None:
    ended = run(runner(Aside(), "a", name))
    assert isinstance(ended["a"].result, Picture)
    refusal = ended[name].result
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason


def test_a_device_that_is_lost_beside_is_told_with_whose_work_it_was() -> None:
    made = runner(Aside(), "lost")
    with pytest.raises(DeviceLostError):
        run(made)
    assert made.at_work == ["lost"]


def test_one_that_is_taken_out_meanwhile_is_never_told() -> None:
    engine = Aside(steps=40)
    made = runner(engine, "slow to end", "other")
    while not engine.threads["finish"]:
        made.turn(1)  # one after the other
    made.remove("slow to end")
    assert set(run(made)) == {"other"}


def test_a_suspect_has_the_engine_to_itself() -> None:
    engine = Aside()
    run(runner(engine, "a", alone=True))
    assert engine.threads["admit"] == engine.threads["finish"] == engine.threads["step"]


class Narrow(Aside):
    """Holds one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: set[str] = set()

    def admit(self, order: Order) -> NullSample:
        if self.inside:
            raise OutOfMemoryError("full")
        self.inside.add(order.id)
        return super().admit(order)

    def finish(self, sample: NullSample) -> Picture:
        self.inside.clear()
        return super().finish(sample)


def test_who_finds_no_memory_beside_comes_later() -> None:
    ended = run(runner(Narrow(), "a", "b"))
    assert {name: type(end.result) for name, end in ended.items()} == {"a": Picture, "b": Picture}


class Crowded(Aside):
    """Can turn `a` into its picture only while no more than one steps."""

    def __init__(self) -> None:
        super().__init__(steps=5)
        self.stepping: list[int] = []
        self.tries = 0
        self.trying = threading.Event()

    def step(self, samples: Sequence[NullSample]) -> None:
        super().step(samples)
        self.stepping.append(len(samples))
        self.stepped.set()

    def finish(self, sample: NullSample) -> Picture:
        if sample.order.id == "a":
            self.tries += 1
            self.stepped.clear()
            self.trying.set()
            assert self.stepped.wait(PATIENCE_S)
            if self.stepping[-1] > 1:
                raise OutOfMemoryError("full")
        return super().finish(sample)


def test_a_picture_that_finds_no_memory_is_tried_again_beside_fewer() -> None:
    engine = Crowded()
    made = Begun(engine)
    for names, steps in (("a", 3), ("bc", 2)):
        made.add(*names)
        made.wait_for(*names)
        for _ in range(steps):
            made.runner.turn(8)
    for _ in range(2):
        while not engine.trying.wait(0.01):
            made.runner.turn(0)
        engine.trying.clear()
        made.runner.turn(8)
    ended = run(made.runner)
    assert {name: type(end.result) for name, end in ended.items()} == {
        "a": Picture, "b": Picture, "c": Picture,
    }  # fmt: skip
    assert engine.tries == 2
    assert engine.stepping == [1, 1, 1, 3, 3, 2, 1, 1, 1, 1]


def test_a_picture_that_never_finds_memory_fails_alone() -> None:
    class Full(Aside):
        def finish(self, sample: NullSample) -> Picture:
            if sample.order.id == "a":
                raise OutOfMemoryError("full")
            return super().finish(sample)

    ended = run(runner(Full(), "a", "b", "c"))
    assert isinstance(ended["a"].result, OutOfMemoryError)
    assert all(isinstance(ended[name].result, Picture) for name in ("b", "c"))


@pytest.mark.parametrize("alone", [False, True])
def test_with_many_on_the_device_it_is_tried_a_few_times_and_no_more(alone: bool) -> None:
    """The others stay on the device however few of them step, so only the limit can end it."""

    class Full(Aside):
        tries = 0

        def admit(self, order: Order) -> NullSample:
            sample = super().admit(order)
            sample.steps = 3 if order.id == "a" else sample.steps
            return sample

        def finish(self, sample: NullSample) -> Picture:
            if sample.order.id != "a":
                return super().finish(sample)
            self.tries += 1
            raise OutOfMemoryError("full")

    engine = Full(steps=300)
    made = runner(engine, *"bcdefgh")
    while made.metrics.curve("").keys() < {7}:
        made.turn(8)
    made.add(Run("a", Lane.LIVE, "ben", order=order("a"), alone=alone))
    ended = run(made)
    assert isinstance(ended.pop("a").result, OutOfMemoryError)
    assert 1 < engine.tries <= 5
    assert [type(end.result) for end in ended.values()] == [Picture] * 7


def test_how_long_it_has_been_busy_beside_is_known() -> None:
    engine = Aside()
    made = runner(engine)
    assert made.side_busy_since == float("inf")
    made.add(Run("slow to begin", Lane.LIVE, "ada", order=order("slow to begin")))
    while made.side_busy_since == float("inf"):
        made.turn(8)
    engine.stepped.set()
    run(made)
    assert made.side_busy_since == float("inf")
