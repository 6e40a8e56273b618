"""The fetcher in an engine's shape. All there is to do was done when an order arrives: its one step
is empty, and its slots say how many pictures are on their way at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpu_worker import contract


@dataclass(frozen=True, slots=True)
class Fetched:
    """A picture as it came."""

    id: str
    data: bytes


@dataclass(slots=True)
class Passing:
    """One picture on its way through."""

    order: Fetched
    step: int = 0
    steps: int = 1


class Fetcher:
    """It waits for others' networks, so no curve says how many may do so: `at_once` does."""

    name = contract.FETCHER
    licence = "Apache-2.0"
    is_preview = False
    device = "network"

    def __init__(self, at_once: int, per_merchant: int):
        self.max_slots = self.least_slots = at_once
        self.per_merchant = per_merchant

    def warm_up(self) -> None:
        """Its children do so for themselves."""

    def steps_of(self, _tier: contract.Tier) -> int:
        return 1

    def admit(self, order: Fetched) -> Passing:
        return Passing(order)

    def step(self, samples: Sequence[Passing]) -> None:
        for sample in samples:
            sample.step = 1

    def partial(self, _sample: Passing) -> None:
        """Nothing to see."""

    def finish(self, sample: Passing) -> Fetched:
        return sample.order
