"""The fetcher as an engine. The courier downloads the picture before the order arrives here, so its
one step does nothing; its slots limit how many downloads run at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpu_worker import contract


@dataclass(frozen=True, slots=True)
class Fetched:
    """A downloaded file, not decoded."""

    id: str
    data: bytes


@dataclass(slots=True)
class Passing:
    """A sample of one empty step."""

    order: Fetched
    step: int = 0
    steps: int = 1


class Fetcher:
    """Passes downloads on. Their times depend on others' networks, so that no learned curve says
    how many slots are good: `at_once` does."""

    name = contract.FETCHER
    licence = "Apache-2.0"
    is_preview = False
    device = "network"

    def __init__(self, at_once: int, per_merchant: int):
        self.max_slots = self.least_slots = at_once
        self.per_merchant = per_merchant

    def warm_up(self) -> None:
        """Nothing to do: the children warm up by themselves."""

    def steps_of(self, _tier: contract.Tier) -> int:
        return 1

    def admit(self, order: Fetched) -> Passing:
        return Passing(order)

    def step(self, samples: Sequence[Passing]) -> None:
        for sample in samples:
            sample.step = 1

    def partial(self, _sample: Passing) -> None:
        """None: there are no partial pictures."""

    def finish(self, sample: Passing) -> Fetched:
        return sample.order
