"""What goes wrong in the step loop is said in the log, with the ids of whose it was."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gpu_worker.contract import Lane
from gpu_worker.engine import Order, OutOfMemoryError, Picture
from gpu_worker.engines.null import NullSample, RecordingEngine
from gpu_worker.scheduling.loop import Runner
from gpu_worker.scheduling.plan import Scheduler
from gpu_worker.scheduling.run import Run
from tests.gpu_worker.scheduling.test_loop import order, run, runner

Told = pytest.LogCaptureFixture


class Passing(RecordingEngine):
    """Breaks one step of several samples and never again."""

    def step(self, samples: Sequence[NullSample]) -> None:
        super().step(samples)
        if len(samples) > 1:
            raise RuntimeError("illegal memory access")


def test_a_step_of_several_that_raises_leaves_its_exception(caplog: Told) -> None:
    """Each succeeds alone, so that nobody else would ever tell of it."""
    ended = run(runner(Passing(steps=2), "try_1", "try_2"))
    assert all(isinstance(end.result, Picture) for end in ended.values())
    (record,) = caplog.records
    assert record.getMessage() == "a step of 2 failed, each begins again alone: try_1, try_2"
    assert "illegal memory access" in caplog.text
    assert record.exc_info


class Small(RecordingEngine):
    """Holds two samples in a step; takes in no more than three."""

    def admit(self, order: Order) -> NullSample:
        if order.id == "try_4" and not self.arrived:
            raise OutOfMemoryError
        return super().admit(order)

    def step(self, samples: Sequence[NullSample]) -> None:
        if len(samples) > 2:
            raise OutOfMemoryError
        super().step(samples)


def test_each_time_that_memory_runs_out_is_one_line(caplog: Told) -> None:
    run(runner(Small(), "try_1", "try_2", "try_3", "try_4"))
    assert [record.getMessage() for record in caplog.records] == [
        "out of memory with 4 of size , at most 2 together now: try_4",
        "out of memory with 3 of size , at most 1 together now: try_1, try_2, try_3",
    ]


class Hollow(RecordingEngine):
    def partial(self, sample: NullSample) -> None:
        raise RuntimeError("not now")


def test_a_partial_picture_that_fails_is_one_line(caplog: Told) -> None:
    made = Runner(Hollow(steps=4), Scheduler(), lambda order: order)
    made.add(Run("try_1", Lane.LIVE, "ada", order=order("try_1"), partials=(0.5,)))
    assert isinstance(run(made)["try_1"].result, Picture)
    (record,) = caplog.records
    assert record.getMessage() == "job try_1: no partial picture: RuntimeError('not now')"
    assert not record.exc_info


def test_what_goes_well_is_not_spoken_of(caplog: Told) -> None:
    run(runner(RecordingEngine(steps=3), "try_1", "try_2"))
    assert caplog.records == []
