"""How long-running parts go on after a fault: a loop with a back-off, and things that fail alone.

Here, for the contract is what server, worker and local may all import, and this needs the standard
library only; a copy for each would be several edges to keep right. Knows no process, no Redis, no
thread: callers say what passes by itself and what must end them. It catches `Exception`, so that
SystemExit, KeyboardInterrupt and a greenlet's or generator's end go through.
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
    """What it returned, or what it raised; whoever asks tells of it.

    Raises:
        ends: what is nobody's own fault, but where it is one of `unless`.
    """
    try:
        return act()
    except Exception as error:  # the edge of every loop and of its items: whoever asks tells of it
        if isinstance(error, ends) and not isinstance(error, unless):
            raise
        return error


def each_alone(
    things: Iterable[T], act: Callable[[T], R], ends: Kinds = (), unless: Kinds = ()
) -> Iterator[tuple[T, R | Exception]]:
    """Each with what came of it, as `tried` says: one that fails keeps no other from its turn.

    Lazy: each is acted on when it is asked for.
    """
    for thing in things:
        yield thing, tried(partial(act, thing), ends, unless)


@dataclass(slots=True)
class Backoff:
    """What one loop does after a turn that failed: a line in its log, and a pause.

    `away`: what passes by itself; the pauses for it begin with `first_s` and double up to
    `longest_s`. `away_says` may quote `%(error)s` and `%(rest_s).1f`; None: others say it. After
    any other fault, logged with its traceback, the loop rests for `fault_s`.
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
        """Exactly one turn. Returns the seconds to rest after it, 0 when all is well."""
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
        """How long to wait for what is away, longer than the last time."""
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
    """Turn after turn until `stop`, which cuts a pause short.

    `every_s`: from one turn's begin to the next one's, if that takes no longer and does not fail.
    """
    stop = stop or threading.Event()
    while not stop.is_set():
        began = time.monotonic()
        rest_s = backoff.take(turn)
        pause_s = max(rest_s, every_s - (time.monotonic() - began))
        if pause_s > 0:
            stop.wait(pause_s)
