"""A process supervisor: starts each part when those it depends on are up, and restarts what dies.

`loop(now)` is one turn. Knows processes and time; `parts.py` defines the parts.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import groupby
from pathlib import Path

from local import children
from local.children import Child

DEATHS = 5
DEATHS_WITHIN_S = 60.0
UP_WITHIN_S = 60.0
REST_S = 0.2  # exponential back-off: 0 s before the first restart, then 0.2 s, 0.6 s, 1.4 s
EXIT_SETTINGS = 2

Health = Callable[[int], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of the stack.

    after: names of the parts it depends on.
    is_healthy: called with the pid; once true, parts that depend on this one may start. None: the
    part is a task, and they may start when it has ended with exit code 0.
    learned: called at each start, for environment variables that an earlier part has produced.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    cwd: Path
    stdout: Path | None = None
    after: frozenset[str] = frozenset()
    is_healthy: Health | None = None
    learned: Callable[[], Mapping[str, str]] = dict


class StackError(Exception):
    """The stack has to stop because of the part `name`."""

    def __init__(self, name: str, why: str, exit_code: int = 1):
        super().__init__(f"{name} {why}")
        self.name = name
        self.exit_code = exit_code


class State(Enum):
    """Of a part; a task ends as DONE, a process that serves stays UP."""

    WAITING = auto()
    STARTING = auto()
    UP = auto()
    DONE = auto()


@dataclass(slots=True)
class Run:
    """The state of one part. Times are of the monotonic clock."""

    part: Part
    state: State = State.WAITING
    child: Child | None = None
    due_at: float = 0.0
    started_at: float = 0.0
    deaths: list[float] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.state in (State.UP, State.DONE)


class Supervisor:
    """Runs the parts. For one thread, which calls `loop` again and again."""

    def __init__(self, parts: Sequence[Part], say: Callable[[str], None]):
        self._runs = {part.name: Run(part) for part in parts}
        self._say = say

    @property
    def is_ready(self) -> bool:
        return all(run.is_open for run in self._runs.values())

    def pids(self) -> dict[str, int]:
        return {name: run.child.pid for name, run in self._runs.items() if run.child}

    def loop(self, now: float) -> None:
        """One turn.

        Raises:
            StackError: a part dies too often, refuses its settings or does not come up.
        """
        for run in self._runs.values():
            self._reap(run, now)
        for run in self._runs.values():
            if run.state is State.WAITING and now >= run.due_at and self._may_start(run.part):
                self._start(run, now)
        for run in self._runs.values():
            if run.state is State.STARTING:
                self._check(run, now)

    def stop(self, grace_s: float) -> None:
        """Ends all processes in reverse order of dependency, those of one depth together."""
        runs = sorted(self._runs.values(), key=lambda run: -self._depth(run.part.name))
        for _, level in groupby(runs, key=lambda run: self._depth(run.part.name)):
            living = [run.child for run in level if run.child]
            for child in living:
                with suppress(ProcessLookupError):
                    child.send_signal(signal.SIGTERM)
            for child in living:
                children.stop(child, with_signal=0, grace_s=grace_s)

    def _depth(self, name: str) -> int:
        needs = self._runs[name].part.after & self._runs.keys()
        return 1 + max((self._depth(need) for need in needs), default=0)

    def _may_start(self, part: Part) -> bool:
        return all(self._runs[name].is_open for name in part.after & self._runs.keys())

    def _start(self, run: Run, now: float) -> None:
        part = run.part
        env = {**part.env, **part.learned()}
        run.child = children.spawn(
            part.argv, env=env, log=part.log, stdout=part.stdout, cwd=part.cwd
        )
        run.state, run.started_at = State.STARTING, now

    def _reap(self, run: Run, now: float) -> None:
        """Notices the end of a part's process: a task is done, another part starts again."""
        if run.child is None or run.child.poll() is None:
            return
        exit_code = children.stop(run.child)  # also kills what is left of its process group
        run.child = None
        if exit_code == 0 and run.part.is_healthy is None:
            self._open(run, State.DONE, now)
            return
        if exit_code == EXIT_SETTINGS:  # a restart would not help
            raise StackError(run.part.name, "refuses its settings", EXIT_SETTINGS)
        self._note_end(run, exit_code, now)

    def _note_end(self, run: Run, exit_code: int, now: float) -> None:
        run.deaths = [at for at in run.deaths if now - at < DEATHS_WITHIN_S] + [now]
        if len(run.deaths) >= DEATHS:
            raise StackError(run.part.name, f"died {DEATHS} times in a minute")
        run.state = State.WAITING
        run.due_at = now + REST_S * (2 ** (len(run.deaths) - 1) - 1)
        self._say(f"{run.part.name} died ({_how(exit_code)}), starting it again")

    def _check(self, run: Run, now: float) -> None:
        if run.child and run.part.is_healthy and run.part.is_healthy(run.child.pid):
            self._open(run, State.UP, now)
        elif now - run.started_at > UP_WITHIN_S:
            raise StackError(run.part.name, f"is not up after {UP_WITHIN_S:.0f} s")

    def _open(self, run: Run, state: State, now: float) -> None:
        run.state = state
        self._say(f"{run.part.name} {state.name.lower()} after {now - run.started_at:.1f} s")


def _how(exit_code: int) -> str:
    return f"exit code {exit_code}" if exit_code >= 0 else signal.Signals(-exit_code).name
