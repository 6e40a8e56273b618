"""The step loop without queue or store: who runs, who parts, what comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from gpu_worker.contract import Category, Lane, Reason
from gpu_worker.engine import Order, Picture, Refusal, SeededNoise
from gpu_worker.null import NullSample, RecordingEngine
from gpu_worker.runner import Finished, Progress, Runner
from gpu_worker.scheduler import Scheduler, Ticket


def order(name: str) -> Order:
    pixels = np.zeros((32, 24, 3), np.uint8)
    return Order(name, pixels, pixels, Category.UPPER, SeededNoise(0))


def runner(engine: RecordingEngine, *names: str) -> Runner:
    made = Runner(engine, Scheduler(), lambda order: order)
    for name in names:
        made.add(Ticket(name, Lane.LIVE, "ada"), order(name))
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
    made.add(Ticket("a", Lane.LIVE, "ada"), order("a"))
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
        made.add(Ticket(name, Lane.LIVE, "ada", bucket="384x512"), order(name))
    run(made)
    curve = made.metrics.curve("384x512")
    assert set(curve) == {2}
    assert curve[2] >= 2
    told = made.metrics.snapshot()
    assert {"finished", "step_ms:384x512:2", "around_ms:384x512"} <= set(told)
    assert float(told["around_ms:384x512"]) >= 0
