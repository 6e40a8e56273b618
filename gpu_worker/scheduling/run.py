"""State of one request in the step loop: what `plan` ranks it by, and how far `loop` has come.

Knows no queue and no wire. The step loop's thread alone uses it.
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
    """`bucket`: size or kind, which samples of one step share; `alone`: suspected of being a poison
    message; `started`: serial number of its start, None before its first step; `order` and
    `sample`: the engine's input and its state between steps."""

    id: str
    lane: Lane
    merchant: str
    bucket: str = ""
    alone: bool = False
    started: int | None = None
    order: object = None
    partials: Sequence[float] = ()  # of its steps, ascending: a partial picture after each
    sample: Stepped | None = None
    steps_s: float = 0.0
    around_s: float = 0.0  # the engine's time for it alone: admit, partial pictures, finish

    @property
    def batch_class(self) -> str:
        """Samples of one batch class may share a forward pass."""
        return f"{self.bucket} alone {self.id}" if self.alone else self.bucket

    @property
    def is_at_last_step(self) -> bool:
        return self.admitted.step >= self.admitted.steps - 1

    @property
    def admitted(self) -> Stepped:
        """Its sample.

        Raises:
            RuntimeError: it has none yet.
        """
        if self.sample is None:
            raise RuntimeError(f"{self.id} was not admitted")
        return self.sample

    @property
    def model_ms(self) -> int:
        return round((self.steps_s + self.around_s) * 1000)

    def begin_anew(self, order: object) -> None:
        """Back to before `admit`; `order`: as it was before an engine touched it."""
        self.order, self.sample = order, None
        self.steps_s = self.around_s = 0.0
