"""The tailor as an engine: admit, one step, finish.

Knows photo and garment orders; `photo` and `garment` do the work.
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
    """A sample of one step."""

    order: TailorOrder
    step: int = 0
    steps: int = 1
    result: Fitted | Refusal | None = None


class Tailor:
    """Checks photos and cleans garments with MediaPipe's pose models and classic image processing;
    needs no downloaded weights."""

    name = contract.TAILOR
    licence = "Apache-2.0"
    is_preview = False
    max_slots = 1  # two at once on the CPU would both take twice as long
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
        """None: the tailor has no partial pictures."""

    def finish(self, sample: Fitting) -> Fitted:
        """The step's result. Raises the Refusal that the step caught."""
        if isinstance(sample.result, Refusal):
            raise sample.result
        if sample.result is None:
            raise RuntimeError("finished before its step")
        return sample.result


def _fit(order: TailorOrder) -> Fitted:
    return check_photo(order) if isinstance(order, PhotoOrder) else fit_garment(order)
