"""The step loop without queue or store: who runs, who parts, what comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from gpu_worker.contract import Category, Lane, Reason
from gpu_worker.engine import (
    DeviceLostError,
    Order,
    OutOfMemoryError,
    Picture,
    Pixels,
    Refusal,
    SeededNoise,
)
from gpu_worker.engines.null import NullSample, RecordingEngine
from gpu_worker.scheduling.loop import Finished, Progress, Runner
from gpu_worker.scheduling.plan import Scheduler
from gpu_worker.scheduling.run import Run


def order(name: str) -> Order:
    pixels = np.zeros((32, 24, 3), np.uint8)
    return Order(name, pixels, pixels, Category.UPPER, SeededNoise(0))


def runner(engine: RecordingEngine, *names: str) -> Runner:
    made = Runner(engine, Scheduler(), lambda order: order)
    for name in names:
        made.add(Run(name, Lane.LIVE, "ada", order=order(name)))
    return made


def run(made: Runner, slots: int = 8, most: int = 100) -> dict[str, Finished]:
    ended: dict[str, Finished] = {}
    for _ in range(most):
        if not len(made):
            return ended
        ended |= {end.id: end for end in made.turn(slots).finished}
    raise AssertionError("it does not end")


def test_all_run_together_and_each_gets_its_picture() -> None:
    engine = RecordingEngine(steps=3)
    ended = run(runner(engine, "a", "b", "c"))
    assert engine.arrived == [["a", "b", "c"]] * 3
    assert all(isinstance(end.result, Picture) for end in ended.values())


def test_an_engine_with_fewer_slots_is_never_asked_for_more() -> None:
    engine = RecordingEngine(max_slots=2)
    run(runner(engine, "a", "b", "c"))
    assert engine.arrived == [["a", "b"], ["c"]]


def test_progress_is_told_and_the_last_step_announced() -> None:
    announced: list[list[str]] = []
    begun: list[Progress] = []
    engine = RecordingEngine(steps=2)
    made = Runner(engine, Scheduler(), lambda order: order, announced.append, begun.append)
    made.add(Run("a", Lane.LIVE, "ada", order=order("a")))
    (progress,) = made.turn(4).progress
    assert begun == [Progress("a", 0, 2)]
    assert (progress.id, progress.step, progress.steps) == ("a", 1, 2)
    run(made)
    assert announced == [[], ["a"]]


class Fragile(RecordingEngine):
    """Breaks any step in which a poisoned order takes part, after moving its samples."""

    def step(self, samples: Sequence[NullSample]) -> None:
        super().step(samples)
        if any("poison" in sample.order.id for sample in samples):
            raise RuntimeError("illegal memory access")

    def finish(self, sample: NullSample) -> Picture:
        if "ugly" in sample.order.id:
            raise Refusal(Reason.SELF_CHECK_FAILED)
        return super().finish(sample)


def test_a_broken_batch_is_run_one_by_one_from_the_start() -> None:
    engine = Fragile(steps=2)
    ended = run(runner(engine, "a", "poison", "b", "ugly"))
    assert isinstance(ended["poison"].result, RuntimeError)
    assert isinstance(ended["ugly"].result, Refusal)
    assert isinstance(ended["a"].result, Picture)
    assert all(len(ids) == 1 for ids in engine.arrived[1:])
    steps = Counter(ids[0] for ids in engine.arrived[1:])
    assert steps == {"a": 2, "b": 2, "ugly": 2, "poison": 1}


def test_who_is_removed_is_not_stepped_again() -> None:
    engine = RecordingEngine(steps=5)
    made = runner(engine, "a", "b")
    made.turn(4)
    made.remove("a")
    run(made)
    assert engine.arrived == [["a", "b"], *[["b"]] * 4]


def test_steps_are_measured_by_size_and_the_rest_by_picture() -> None:
    made = Runner(RecordingEngine(a_ms=2, steps=2), Scheduler(), lambda order: order)
    for name in ("a", "b"):
        made.add(Run(name, Lane.LIVE, "ada", bucket="384x512", order=order(name)))
    run(made)
    curve = made.metrics.curve("384x512")
    assert set(curve) == {2}
    assert curve[2] >= 2
    told = made.metrics.snapshot()
    assert {"step_ms:384x512:2", "around_ms:384x512"} <= set(told)
    assert made.metrics.counts() == {"finished": 2}
    assert float(told["around_ms:384x512"]) >= 0


# --- a device that gives out ---------------------------------------------------------------------


class Small(RecordingEngine):
    """Holds so many samples in a step, and so many at all."""

    def __init__(self, holds: int, admits: int = 64, **curve: float):
        super().__init__(**curve)  # type: ignore[arg-type]
        self.holds, self.admits, self.inside = holds, admits, 0

    def admit(self, order: Order) -> NullSample:
        if self.inside >= self.admits:
            raise OutOfMemoryError
        self.inside += 1
        return super().admit(order)

    def step(self, samples: Sequence[NullSample]) -> None:
        if len(samples) > self.holds:
            raise OutOfMemoryError(f"{len(samples)} samples")
        super().step(samples)

    def finish(self, sample: NullSample) -> Picture:
        self.inside -= 1
        return super().finish(sample)


@pytest.mark.parametrize("holds", [1, 2, 3, 5])
def test_out_of_memory_halves_the_batch_and_restarts_nobody(holds: int) -> None:
    engine = Small(holds, steps=3)
    ended = run(runner(engine, *"abcdefgh"))
    assert all(isinstance(end.result, Picture) for end in ended.values())
    assert len(ended) == 8
    steps = Counter(name for ids in engine.arrived for name in ids)
    assert steps == dict.fromkeys("abcdefgh", 3)


def test_who_does_not_fit_by_itself_fails_alone() -> None:
    ended = run(runner(Small(0), "a", "b"))
    assert {name: type(end.result) for name, end in ended.items()} == {
        "a": OutOfMemoryError,
        "b": OutOfMemoryError,
    }


def test_who_cannot_be_admitted_beside_the_others_waits() -> None:
    engine = Small(8, admits=2, steps=2)
    ended = run(runner(engine, *"abcd"))
    assert all(isinstance(end.result, Picture) for end in ended.values())
    assert max(map(len, engine.arrived)) == 2


class Drawing(Small):
    """Draws from the order's noise before it finds out that there is no room."""

    def __init__(self) -> None:
        super().__init__(8, admits=2, steps=2)
        self.drawn: dict[str, float] = {}

    def admit(self, order: Order) -> NullSample:
        self.drawn[order.id] = float(order.noise.draw("latents", (1,))[0])
        return super().admit(order)


def renewed(made: object) -> Order:
    assert isinstance(made, Order)
    return replace(made, noise=SeededNoise(0))


def test_who_is_admitted_again_has_its_noise_from_the_start() -> None:
    engine = Drawing()
    made = Runner(engine, Scheduler(), renewed)
    for name in "abc":
        made.add(Run(name, Lane.LIVE, "ada", order=order(name)))
    run(made)
    assert len(set(engine.drawn.values())) == 1


class Mortal(RecordingEngine):
    def step(self, samples: Sequence[NullSample]) -> None:
        raise DeviceLostError("illegal memory access")


def test_a_lost_device_is_no_jobs_failure() -> None:
    made = runner(Mortal(), "a", "b")
    with pytest.raises(DeviceLostError):
        made.turn(1)
    assert made.at_work == ["a"]
    assert len(made) == 2


# --- partial pictures ---------------------------------------------------------------------------


class DrawingPartials(RecordingEngine):
    def partial(self, sample: NullSample) -> Pixels:  # type: ignore[override]
        if sample.order.id == "shy":
            raise RuntimeError("not now")
        return np.full((4, 3, 3), sample.step, np.uint8)


def test_a_rough_picture_is_taken_once_at_each_fraction() -> None:
    made = Runner(DrawingPartials(steps=10), Scheduler(), lambda order: order)
    made.add(Run("a", Lane.LIVE, "ada", order=order("a"), partials=(0.25, 0.6)))
    made.add(Run("b", Lane.LIVE, "ada", order=order("b")))
    made.add(Run("shy", Lane.LIVE, "ada", order=order("shy"), partials=(0.5,)))
    partials = [partial for _ in range(10) for partial in made.turn(4).partials]
    assert [(partial.id, int(partial.pixels.max())) for partial in partials] == [("a", 3), ("a", 6)]
    assert len(made) == 0


def test_every_millisecond_of_the_engine_is_somebodys() -> None:
    made = runner(RecordingEngine(a_ms=10, steps=2), "a", "b")
    first, second = made.turn(4), made.turn(4)
    assert set(first.spent) == {"a", "b"}
    told = sum(first.spent.values()) + sum(second.spent.values())
    (a, b) = second.finished
    assert told >= 20
    assert a.model_ms + b.model_ms > told, "both waited for the whole step"
