"""One request's way through the engine: what `plan` ranks it by, and how far `loop` has brought it.

Knows no queue and no wire. One thread at a time has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gpu_worker.contract import Lane


class Stepped(Protocol):
    """What the loop sees of an engine's sample: `step` of `steps` are done."""

    step: int

    @property
    def steps(self) -> int: ...


@dataclass(slots=True, eq=False)
class Run:
    """`bucket`: its size; `alone`: it is suspected of being a poison message; `started`: which
    start it was, None before its first step; `order` and `sample` are the engine's."""

    id: str
    lane: Lane
    merchant: str
    bucket: str = ""
    alone: bool = False
    started: int | None = None
    order: object = None
    partials: Sequence[float] = ()  # after which fractions of its steps one is drawn, ascending
    sample: Stepped | None = None
    steps_s: float = 0.0
    around_s: float = 0.0  # the engine's time before, between and after its steps, for it alone

    @property
    def batch_class(self) -> str:
        """Samples of one batch class may share a forward pass."""
        return f"{self.bucket} alone {self.id}" if self.alone else self.bucket

    @property
    def is_at_last_step(self) -> bool:
        return self.admitted.step >= self.admitted.steps - 1

    @property
    def admitted(self) -> Stepped:
        """Its sample. Raises RuntimeError: it has none yet."""
        if self.sample is None:
            raise RuntimeError(f"{self.id} was not admitted")
        return self.sample

    @property
    def model_ms(self) -> int:
        return round((self.steps_s + self.around_s) * 1000)

    def begin_anew(self, order: object) -> None:
        """Of what was drawn nothing counts; `order`: as it was before an engine touched it."""
        self.order, self.sample = order, None
        self.steps_s = self.around_s = 0.0
