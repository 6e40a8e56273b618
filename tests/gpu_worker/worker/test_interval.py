"""What is due when, with time passed in."""

from __future__ import annotations

from gpu_worker.worker.interval import Intervals


def test_it_is_due_at_once_and_then_every_so_often_each_for_itself() -> None:
    rhythm = Intervals()
    begin = -5.0  # a clock may begin anywhere
    asked = [begin, begin + 0.9, begin + 1.0, begin + 5.0, begin + 5.5]
    assert [rhythm.is_due("beat", 1.0, now) for now in asked] == [True, False, True, True, False]
    assert rhythm.is_due("lease", 1.0, begin + 5.5)
