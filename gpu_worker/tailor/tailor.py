"""Runs orders one by one in the engine's shape: admit, one step, finish.

Knows photo and garment orders. What the two checks do is `photo`'s and `garment`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpu_worker import contract
from gpu_worker.contract import Tier
from gpu_worker.engine import Refusal
from gpu_worker.tailor.garment import fit_garment
from gpu_worker.tailor.orders import Fitted, GarmentOrder, PhotoOrder
from gpu_worker.tailor.photo import check_photo
from gpu_worker.vision import pose

TailorOrder = PhotoOrder | GarmentOrder


@dataclass(slots=True)
class Fitting:
    """One order on the table; it has one step."""

    order: TailorOrder
    step: int = 0
    steps: int = 1
    result: Fitted | Refusal | None = None


class Tailor:
    """Weight-free: MediaPipe's pose models and plain-ground cutting."""

    name = contract.TAILOR
    licence = "Apache-2.0"
    is_preview = False
    max_slots = 1  # two on one CPU would only both be late
    device = "cpu"

    def warm_up(self) -> None:
        pose.warm_up()

    def steps_of(self, _tier: Tier) -> int:
        return 1

    def admit(self, order: TailorOrder) -> Fitting:
        return Fitting(order)

    def step(self, samples: Sequence[Fitting]) -> None:
        for sample in samples:
            try:
                sample.result = _fit(sample.order)
            except Refusal as refusal:
                sample.result = refusal
            sample.step = 1

    def partial(self, _sample: Fitting) -> None:
        """Nobody watches the tailor."""

    def finish(self, sample: Fitting) -> Fitted:
        """What was found, or the Refusal that the step met."""
        if isinstance(sample.result, Refusal):
            raise sample.result
        if sample.result is None:
            raise RuntimeError("finished before its step")
        return sample.result


def _fit(order: TailorOrder) -> Fitted:
    return check_photo(order) if isinstance(order, PhotoOrder) else fit_garment(order)
