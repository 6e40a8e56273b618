"""A pool of warm child processes that do one kind of work on untrusted bytes, within limits.

A child is reused, and replaced only when it overran a limit or ended. Thread-safe.
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
TRIES = 2  # a child killed from outside (by the kernel's OOM killer, say) tells nothing of the work
_BY_CODE = {EXIT_MEMORY: "memory", -signal.SIGPROF: "cpu", -signal.SIGXCPU: "cpu"}
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Limits:
    """cpu_s, wall_s: of one piece of work. memory_bytes: writable memory of a child.
    answer_bytes: the most that a body may be, of a request or an answer."""

    cpu_s: float
    wall_s: float
    memory_bytes: int
    answer_bytes: int = 1 << 28


@dataclass(frozen=True, slots=True)
class Answer:
    """A child's answer and its cost: CPU time and wall time, without the wait for a free child."""

    head: Head
    body: bytearray
    cpu_ms: float
    wall_ms: float


class NoAnswerError(Exception):
    """The work gave no answer; `cpu_ms` and `wall_ms` say what it cost nevertheless."""

    def __init__(self, why: str, cpu_ms: float, wall_ms: float):
        super().__init__(f"{why} after {cpu_ms:.0f} ms of CPU, {wall_ms:.0f} ms")
        self.cpu_ms = cpu_ms
        self.wall_ms = wall_ms


class OverrunError(NoAnswerError):
    """The work exceeded a limit or crashed its child; that child is gone.

    kind: `cpu`, `wall`, `memory` or `crash`."""

    def __init__(self, kind: str, cpu_ms: float, wall_ms: float):
        super().__init__(kind, cpu_ms, wall_ms)
        self.kind = kind


class WorkFailedError(NoAnswerError):
    """The work raised an unexpected exception, or no child will start: a fault of ours."""


class PoolClosedError(RuntimeError):
    """The pool was closed: there is no child any more."""


class Pool:
    """`size` children, each `python -m module`, which calls `gpu_worker.confined.child.serve`.

    env: added to `process.ENVIRONMENT`, and all else of ours is left out.
    no_files: once warm they can open neither file nor socket.
    They start to warm up at once, and end with this process. Any thread may call `run`.
    """

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
        """Waits for a free child, then for its answer. With two or more, one `owner` never has all.

        Raises:
            OverrunError: it exceeded a limit.
            WorkFailedError: it raised an unexpected exception, or no child will start.
            PoolClosedError: the pool was closed.
            ValueError: the body is larger than `answer_bytes`.
        """
        with self._turns.place(owner) as place:
            try:
                for _ in range(TRIES - 1):
                    with suppress(_KilledError):  # from outside: no fault of this work
                        return self._once(place, head, body)
                return self._once(place, head, body)
            except _KilledError as error:
                raise OverrunError("crash", error.cpu_ms, error.wall_ms) from error

    def close(self) -> None:
        """Kills all children, whatever they do."""
        with self._lock:
            self._closed = True
        for place in self._places:
            place.child.end()
        with ExitStack() as held:  # waits for runs under way, which fail now, before it reaps
            for _ in self._places:
                held.enter_context(self._turns.place(None)).child.reap()

    def _once(self, place: _Place, head: Head, body: bytes) -> Answer:
        """One try: sends the work to this place's child and waits. Replaces a child that failed."""
        if place.child.is_reaped or self._closed:  # its last replacement failed; raises if closed
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
        """Replaces the child in a place. Returns the exception that tells what its end means."""
        code = place.child.reap()
        try:
            self._fill(place)
        except PoolClosedError as closed:
            return closed
        except OSError:  # no memory or no descriptors: the next run tries again
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
        """Waits until a new child reports that it is ready."""
        if place.is_warm:
            return
        try:
            place.child.read(time.monotonic() + START_S)
        except (GoneError, LateError, GarbledError) as error:
            ended = self._replace(place, error, 0, 0)
            if isinstance(ended, OverrunError):
                why = f"{self._module} does not start: {ended.kind}"
                raise WorkFailedError(why, 0, 0) from error  # no work was begun: it costs nothing
            raise ended from error
        place.is_warm = True

    def _start(self) -> Process:
        return Process(self._module, self._terms, self._limits.answer_bytes, self._env)


@dataclass(slots=True)
class _Place:
    """Room for one child; the thread that took it from the free ones uses it alone."""

    child: Process
    is_warm: bool = False


class _KilledError(Exception):
    """The child was killed, and not by us."""

    def __init__(self, cpu_ms: float, wall_ms: float):
        super().__init__("killed from outside")
        self.cpu_ms = cpu_ms
        self.wall_ms = wall_ms
