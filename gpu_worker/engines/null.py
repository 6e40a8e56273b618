"""Engines that draw nothing, for tests and benchmarks; the picture says so.

`NullEngine` sleeps by one latency curve, `TimedEngine` by one for each size.
`RecordingEngine` also records which orders shared a step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2

from gpu_worker.contract import LADDER, Category, Tier
from gpu_worker.engine import Order, Picture


@dataclass(slots=True)
class NullSample:
    """An order with a count of steps; it has no other state."""

    order: Order
    steps: int
    step: int = 0


class NullEngine:
    """A step of b samples takes a_ms + c_ms * b, as on a real device; no picture is drawn."""

    name = "null"
    licence = "Apache-2.0"
    device = "none"
    is_preview = True
    categories = frozenset(Category)
    honours = frozenset({"num_inference_steps"})

    def __init__(self, a_ms: float, c_ms: float, steps: int, max_slots: int = 64):
        self._a_ms = a_ms
        self._c_ms = c_ms
        self._steps = steps
        self.max_slots = max_slots

    def warm_up(self) -> None:
        """Nothing to load."""

    def steps_of(self, _tier: Tier) -> int:
        return self._steps

    def admit(self, order: Order) -> NullSample:
        return NullSample(order, order.options.num_inference_steps or self._steps)

    def step(self, samples: Sequence[NullSample]) -> None:
        time.sleep((self._a_ms + self._c_ms * len(samples)) / 1000)
        for sample in samples:
            sample.step += 1

    def partial(self, _sample: NullSample) -> None:
        """None: there are no partial pictures."""

    def finish(self, sample: NullSample) -> Picture:
        """The photo unchanged, with NULL written across it."""
        pixels = sample.order.photo.copy()
        height, width = pixels.shape[:2]
        size = width / 90
        (text_width, text_height), _ = cv2.getTextSize("NULL", cv2.FONT_HERSHEY_SIMPLEX, size, 2)
        origin = ((width - text_width) // 2, (height + text_height) // 2)
        thick = max(2, round(size * 2))
        for colour, extra in (((0, 0, 0), thick), ((255, 255, 255), 0)):
            cv2.putText(
                pixels, "NULL", origin, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick + extra
            )
        return Picture(pixels)


class TimedEngine(NullEngine):
    """A step of b samples of a size takes `step_ms(size, b)`; a picture takes its tier's steps."""

    def __init__(self, step_ms: Callable[[str, int], float], max_slots: int = 8):
        super().__init__(0, 0, LADDER[0].steps, max_slots)
        self._step_ms = step_ms

    def steps_of(self, tier: Tier) -> int:
        return tier.steps

    def admit(self, order: Order) -> NullSample:
        return NullSample(order, order.options.num_inference_steps or _tier(order).steps)

    def step(self, samples: Sequence[NullSample]) -> None:
        time.sleep(self._step_ms(_tier(samples[0].order).size, len(samples)) / 1000)
        for sample in samples:
            sample.step += 1

    def finish(self, sample: NullSample) -> Picture:
        return Picture(sample.order.photo, _tier(sample.order).name)


def _tier(order: Order) -> Tier:
    return order.tier or LADDER[0]


class RecordingEngine(NullEngine):
    """Records the ids of the orders of each step in `arrived`."""

    def __init__(self, a_ms: float = 0, c_ms: float = 0, steps: int = 1, max_slots: int = 64):
        super().__init__(a_ms, c_ms, steps, max_slots)
        self.arrived: list[list[str]] = []

    def step(self, samples: Sequence[NullSample]) -> None:
        self.arrived.append([sample.order.id for sample in samples])
        super().step(samples)
