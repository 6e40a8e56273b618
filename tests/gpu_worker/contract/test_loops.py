"""Loops that go on after a fault: what they say, how long they rest, and what ends them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from gpu_worker.contract import Backoff, each_alone, forever, tried

log = logging.getLogger("a loop")


class AwayError(Exception):
    """What passes by itself."""


class LateError(AwayError):
    """One of them that does not."""


def backoff(away_says: str | None = "again in %(rest_s).1f s: %(error)s") -> Backoff:
    return Backoff(log, (AwayError,), away_says, 0.1, 0.5, "a turn of ours failed", 0.3)


def raising(error: BaseException) -> Callable[[], None]:
    def turn() -> None:
        raise error

    return turn


def test_pauses_for_what_is_away_double_and_a_good_turn_ends_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, away = backoff(), raising(AwayError("no Redis"))
    assert [one.take(away) for _ in range(4)] == [0.1, 0.2, 0.4, 0.5]
    assert one.take(lambda: None) == 0.0
    assert one.take(away) == 0.1
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert caplog.messages[2] == "again in 0.4 s: no Redis"


def test_what_nobody_foresaw_is_told_with_its_traceback_and_the_loop_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = backoff(away_says=None)
    assert one.take(raising(KeyError("ours"))) == 0.3
    assert (caplog.messages, caplog.records[0].levelname) == (["a turn of ours failed"], "ERROR")
    assert "KeyError: 'ours'" in caplog.text
    assert one.take(raising(AwayError())) == 0.5  # it has rested already
    assert len(caplog.messages) == 1  # of what is away others tell


def test_a_loop_takes_turn_after_turn_until_told_to_stop() -> None:
    stop, turns = threading.Event(), iter([None, AwayError(), KeyError(), None])

    def turn() -> None:
        error = next(turns, "enough")
        if isinstance(error, Exception):
            raise error
        if error == "enough":
            stop.set()

    forever(turn, Backoff(log, (AwayError,), None, 0.0, 0.0), stop)
    assert list(turns) == []


def test_a_loop_keeps_its_time_and_a_stop_cuts_its_pause_short() -> None:
    stop, began = threading.Event(), list[float]()

    def turn() -> None:
        began.append(time.monotonic())
        if len(began) == 3:
            stop.set()

    forever(turn, backoff(), stop, every_s=0.05)
    assert began[2] - began[0] >= 0.09
    stop.clear()
    threading.Timer(0.05, stop.set).start()
    forever(lambda: None, backoff(), stop, every_s=60)
    assert time.monotonic() - began[0] < 30


@pytest.mark.parametrize("ending", [SystemExit(0), KeyboardInterrupt(), GeneratorExit()])
def test_what_ends_a_process_or_a_greenlet_ends_the_loop(ending: BaseException) -> None:
    with pytest.raises(type(ending)):
        forever(raising(ending), backoff())
    with pytest.raises(type(ending)):
        list(each_alone([ending], lambda error: raising(error)()))


def test_one_that_fails_keeps_no_other_from_its_turn() -> None:
    answers = list(each_alone([4, 0, 2], lambda divisor: 8 // divisor))
    assert [thing for thing, _ in answers] == [4, 0, 2]
    assert (answers[0][1], type(answers[1][1]), answers[2][1]) == (2, ZeroDivisionError, 4)


def test_each_is_acted_on_when_it_is_asked_for() -> None:
    acted: list[int] = []
    answers: Iterator[object] = each_alone([1, 2], acted.append)
    next(answers)
    assert acted == [1]


@pytest.mark.parametrize(
    ("error", "goes_through"), [(AwayError(), True), (LateError(), False), (KeyError(), False)]
)
def test_what_is_nobodys_own_fault_goes_through(error: Exception, goes_through: bool) -> None:
    def ask() -> object:
        return tried(raising(error), ends=(AwayError,), unless=(LateError,))

    if goes_through:
        with pytest.raises(AwayError):
            ask()
    else:
        assert ask() is error
