"""Warm children that do one kind of work on bytes that may be hostile, each within limits.

A child is used again and again, and replaced only when it overran a limit or ended. Thread-safe.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from gpu_worker.confined.child import EXIT_MEMORY
from gpu_worker.confined.process import GoneError, LateError, Process
from gpu_worker.confined.turns import Turns
from gpu_worker.confined.wire import GarbledError, Head

log = logging.getLogger(__name__)

START_S = 60.0
TRIES = 2  # a child that somebody else killed says nothing of the work
_BY_CODE = {EXIT_MEMORY: "memory", -signal.SIGPROF: "cpu", -signal.SIGXCPU: "cpu"}
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one piece of work: CPU and wall time. Of a child: what it may write to in memory.
    `answer_bytes`: the most that a body may be, of what is asked too."""

    cpu_s: float
    wall_s: float
    memory_bytes: int
    answer_bytes: int = 1 << 28


@dataclass(frozen=True, slots=True)
class Answer:
    """What a child said, and what it cost: CPU time and time on the wall, without any wait for a
    free child."""

    head: Head
    body: bytearray
    cpu_ms: float
    wall_ms: float


class NoAnswerError(Exception):
    """The work has no answer, and has cost what an answer might have."""

    def __init__(self, why: str, cpu_ms: float, wall_ms: float):
        super().__init__(f"{why} after {cpu_ms:.0f} ms of CPU, {wall_ms:.0f} ms")
        self.cpu_ms = cpu_ms
        self.wall_ms = wall_ms


class OverrunError(NoAnswerError):
    """The work went beyond its limits, or ended the child that did it: the child is gone.

    kind: `cpu`, `wall`, `memory` or `crash`."""

    def __init__(self, kind: str, cpu_ms: float, wall_ms: float):
        super().__init__(kind, cpu_ms, wall_ms)
        self.kind = kind


class WorkFailedError(NoAnswerError):
    """The work raised what it does not know: a fault of ours."""


class PoolClosedError(RuntimeError):
    """No child works any more."""


class Pool:
    """`size` children, each `python -m module`, which ends in `gpu_worker.confined.child.serve`.

    Their environment is made from nothing but `env`. `no_files`: once warm they can open neither
    file nor socket. They begin to warm up at once, and end with this process."""

    def __init__(
        self,
        module: str,
        *,
        size: int,
        limits: Limits,
        no_files: bool = False,
        env: Mapping[str, str] | None = None,
    ):
        self._module = module
        self._limits = limits
        self._terms: Head = {"memory_bytes": limits.memory_bytes, "no_files": no_files}
        self._env = env or {}
        self._closed = False
        self._lock = threading.Lock()
        self._places = [_Place(self._start()) for _ in range(size)]
        self._turns = Turns(self._places)

    def run(self, head: Head, body: bytes = b"", owner: str | None = None) -> Answer:
        """Waits for a free child, and for its answer. Where an owner is named, one child is always
        left to others.

        Raises:
            OverrunError: it went beyond a limit; what it cost is said.
            WorkFailedError: it raised what it does not expect, or no child will start.
            PoolClosedError: there is no child any more.
            ValueError: the body is larger than any may be.
        """
        with self._turns.place(owner) as place:
            try:
                for _ in range(TRIES - 1):
                    with suppress(_KilledError):  # not by us, so it is no fault of this work
                        return self._once(place, head, body)
                return self._once(place, head, body)
            except _KilledError as error:
                raise OverrunError("crash", error.cpu_ms, error.wall_ms) from error

    def close(self) -> None:
        """Ends all children, whatever they do."""
        with self._lock:
            self._closed = True
        for place in self._places:
            place.child.end()
        with ExitStack() as held:  # whoever is at work hears of it at once
            for _ in self._places:
                held.enter_context(self._turns.place(None)).child.reap()

    def _once(self, place: _Place, head: Head, body: bytes) -> Answer:
        if place.child.is_reaped or self._closed:
            self._fill(place)
        self._warm(place)
        child = place.child
        began, cpu_s = time.monotonic(), child.cpu_s()
        until = began + self._limits.wall_s
        try:
            child.write({"asked": head, "cpu_s": self._limits.cpu_s}, body, until)
            told, found = child.read(until)
        except (GoneError, LateError, GarbledError) as error:
            child.end()
            cost = (child.cpu_s() - cpu_s) * 1000, (time.monotonic() - began) * 1000
            raise self._replace(place, error, *cost) from error
        cost = (child.cpu_s() - cpu_s) * 1000, (time.monotonic() - began) * 1000
        said = told.get("said")
        if not isinstance(said, dict):
            raise WorkFailedError(str(told.get("failed")), *cost)
        return Answer(said, found, *cost)

    def _replace(self, place: _Place, error: Exception, cpu_ms: float, wall_ms: float) -> Exception:
        """A new child in its place. What the end of the old one means for the work."""
        code = place.child.reap()
        try:
            self._fill(place)
        except PoolClosedError as closed:
            return closed
        except OSError:  # no memory, no descriptors: the next who comes tries again
            log.exception("no new child of %s", self._module)
        if isinstance(error, GoneError) and code in _FROM_OUTSIDE:
            return _KilledError(cpu_ms, wall_ms)
        kind = "wall" if isinstance(error, LateError) else _BY_CODE.get(code, "crash")
        log.warning("a child of %s ended: %s, code %d", self._module, kind, code)
        return OverrunError(kind, cpu_ms, wall_ms)

    def _fill(self, place: _Place) -> None:
        with self._lock:
            if self._closed:
                raise PoolClosedError
            place.is_warm = False
            place.child = self._start()

    def _warm(self, place: _Place) -> None:
        if place.is_warm:
            return
        try:
            place.child.read(time.monotonic() + START_S)
        except (GoneError, LateError, GarbledError) as error:
            ended = self._replace(place, error, 0, 0)
            if isinstance(ended, OverrunError):
                why = f"{self._module} does not start: {ended.kind}"
                raise WorkFailedError(why, 0, 0) from error  # nobody's work was begun
            raise ended from error
        place.is_warm = True

    def _start(self) -> Process:
        return Process(self._module, self._terms, self._limits.answer_bytes, self._env)


@dataclass(slots=True)
class _Place:
    """One child at a time; whoever took it from the free ones has it alone."""

    child: Process
    is_warm: bool = False


class _KilledError(Exception):
    """Somebody else ended the child."""

    def __init__(self, cpu_ms: float, wall_ms: float):
        super().__init__("killed from outside")
        self.cpu_ms = cpu_ms
        self.wall_ms = wall_ms
