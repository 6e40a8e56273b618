"""Fault handling of long-running loops: exponential back-off, and items that fail one by one.

It is in the contract because server, worker and local may all import that. Knows no process and no
Redis: callers say which exceptions are temporary (`away`) and which must end them (`ends`).
Catches `Exception` only, so that SystemExit, KeyboardInterrupt and GreenletExit pass.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
Kinds = tuple[type[Exception], ...]


def tried(act: Callable[[], R], ends: Kinds = (), unless: Kinds = ()) -> R | Exception:
    """What `act` returned, or the exception that it raised, for the caller to report.

    Raises:
        ends: exceptions of these kinds are raised as usual, except those that are also `unless`.
    """
    try:
        return act()
    except Exception as error:  # the edge of every loop and of its items: the caller reports it
        if isinstance(error, ends) and not isinstance(error, unless):
            raise
        return error


def each_alone(
    things: Iterable[T], act: Callable[[T], R], ends: Kinds = (), unless: Kinds = ()
) -> Iterator[tuple[T, R | Exception]]:
    """Each thing with the result of `tried`: one that fails does not stop the others.

    A lazy generator: `act` runs when the next pair is asked for.
    """
    for thing in things:
        yield thing, tried(partial(act, thing), ends, unless)


@dataclass(slots=True)
class Backoff:
    """Exponential back-off of one loop: after a turn that failed it logs a line and says how long
    to pause. It remembers the last pause, so that each loop needs its own.

    `away`: exceptions that pass by themselves (Redis or a database away); the pauses for them begin
    with `first_s` and double up to `longest_s`. `away_says`: the line logged for them, which may
    contain `%(error)s` and `%(rest_s).1f`; None: somebody else logs it. Any other exception is
    logged with its traceback, and the loop pauses for `fault_s`.
    """

    log: logging.Logger
    away: Kinds
    away_says: str | None
    first_s: float
    longest_s: float
    fault_says: str = "a turn failed"
    fault_s: float = 0.0
    _rest_s: float = field(default=0.0, init=False)

    def take(self, turn: Callable[[], object]) -> float:
        """Runs exactly one turn. Returns the seconds to pause after it, 0 if it succeeded."""
        error = tried(turn)
        if isinstance(error, self.away):
            return self.pause_s(error)
        if isinstance(error, Exception):
            self.log.error(self.fault_says, exc_info=error)
            self._rest_s = max(self._rest_s, self.fault_s)
            return self.fault_s
        self._rest_s = 0.0
        return 0.0

    def pause_s(self, error: Exception) -> float:
        """The next pause for something that is away: twice the last one, within the bounds."""
        self._rest_s = min(self.longest_s, max(self.first_s, self._rest_s * 2))
        if self.away_says is not None:
            self.log.warning(self.away_says, {"error": error, "rest_s": self._rest_s})
        return self._rest_s


def forever(
    turn: Callable[[], object],
    backoff: Backoff,
    stop: threading.Event | None = None,
    every_s: float = 0.0,
) -> None:
    """Runs turn after turn until `stop` is set, which also ends a pause at once.

    `every_s`: the period, from the start of a turn to the start of the next. A turn that takes
    longer is followed at once, one that failed after the back-off's pause if that is longer.
    """
    stop = stop or threading.Event()
    while not stop.is_set():
        began = time.monotonic()
        rest_s = backoff.take(turn)
        pause_s = max(rest_s, every_s - (time.monotonic() - began))
        if pause_s > 0:
            stop.wait(pause_s)
