"""Offload thread: runs `admit` and `finish` of single samples while the others step.

Knows calls and their answers; no engine, no scheduler.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Answer(Generic[R]):
    """A finished call. `result`: what it returned or raised; `took_s`: without the wait."""

    run_id: str
    what: str
    result: R | BaseException
    took_s: float


@dataclass(slots=True)
class _Asked:
    run_id: str
    what: str
    began: float = _NEVER
    ended: float = _NEVER

    def call(self, work: Callable[[A], R], argument: A) -> R:
        self.began = time.monotonic()
        try:
            return work(argument)
        finally:
            self.ended = time.monotonic()


class SideThread(Generic[R]):
    """Runs calls in one thread of its own, one after the other; one other thread uses it.

    `busy_since` alone may be read by any thread.
    """

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, "beside")
        self._asked: dict[Future[R], _Asked] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def ask(self, run_id: str, what: str, work: Callable[[A], R], argument: A) -> None:
        asked = _Asked(run_id, what)
        self._asked[self._worker.submit(asked.call, work, argument)] = asked

    def answers(self, within_s: float) -> list[Answer[R]]:
        """Takes the finished calls, in the order in which they were asked. If none is finished it
        waits up to `within_s` for the first."""
        wait(self._asked, within_s, FIRST_COMPLETED)
        done = [future for future in self._asked if future.done()]
        return [self._answer(future) for future in done]

    def _answer(self, future: Future[R]) -> Answer[R]:
        asked = self._asked.pop(future)
        result = future.exception() or future.result()
        return Answer(asked.run_id, asked.what, result, asked.ended - asked.began)

    @property
    def busy_since(self) -> float:
        """When the call under way began, by the monotonic clock; infinity where none is."""
        # a copy: the user's thread may add calls meanwhile
        under_way = [asked for asked in list(self._asked.values()) if asked.ended == _NEVER]
        return min((asked.began for asked in under_way), default=_NEVER)
