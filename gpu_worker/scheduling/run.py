"""One request's way through the engine: what `plan` ranks it by, and how far `loop` has brought it.

Knows no queue and no wire. One thread at a time has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gpu_worker.contract import Lane


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
    order: Any = None
    partials: Sequence[float] = ()  # after which fractions of its steps one is drawn, ascending
    sample: Any = None
    steps_s: float = 0.0
    around_s: float = 0.0  # the engine's time before, between and after its steps, for it alone

    @property
    def batch_class(self) -> str:
        """Samples of one batch class may share a forward pass."""
        return f"{self.bucket} alone {self.id}" if self.alone else self.bucket

    @property
    def is_at_last_step(self) -> bool:
        return bool(self.sample.step >= self.sample.steps - 1)

    @property
    def model_ms(self) -> int:
        return round((self.steps_s + self.around_s) * 1000)

    def begin_anew(self, order: Any) -> None:
        """Of what was drawn nothing counts; `order`: as it was before an engine touched it."""
        self.order, self.sample = order, None
        self.steps_s = self.around_s = 0.0
