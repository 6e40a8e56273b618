"""The engine protocol (model backend): what the step loop may ask of whatever draws pictures.

Knows arrays and seeds. No Redis, no store, no torch: an engine imports what it needs itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gpu_worker.contract import Category, EventData, Options, Reason, Tier

Pixels = NDArray[np.uint8]
Array = NDArray[np.generic]  # any dtype: as stored, or before it is converted to float
Parts = Mapping[str, Array]


class Refusal(Exception):  # noqa: N818 - a refusal is no error
    """This input cannot become an honest picture. Only its own job fails; the batch goes on."""

    def __init__(self, reason: Reason, detail: str = "", data: EventData | None = None):
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
        self.data: EventData = data or {}


class OutOfMemoryError(Exception):
    """The device's memory cannot hold this many samples at once; fewer may fit.

    The samples are unchanged, so the same step may be tried again.
    """


class DeviceLostError(Exception):
    """Nothing can run on this device any more: the process must end, so that its jobs go back."""


class Noise(Protocol):
    """An engine's source of random numbers: a seeded generator, or draws recorded for a test."""

    def draw(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Standard normal values, float32 of this shape.

        `name` says what they are for (`latents`, `step`, `posterior_person`); each name has a
        random stream of its own.
        """
        ...


class SeededNoise:
    """Deterministic noise: a Philox generator per name, seeded with the order's seed and the name.

    A draw depends only on the seed, its name and how often that name was drawn before. So neither
    the other samples of a batch nor the order of calls can change a picture.
    """

    def __init__(self, seed: int):
        self._seed = seed
        self._generators: dict[str, np.random.Generator] = {}

    def draw(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        if name not in self._generators:
            entropy = [self._seed & 0xFFFFFFFFFFFFFFFF, *name.encode()]
            self._generators[name] = np.random.Generator(np.random.Philox(seed=entropy))
        return self._generators[name].standard_normal(shape, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Order:
    """Inference input: one picture to draw.

    photo, garment: uint8 (h, w, 3) RGB, upright sRGB, any size.
    mask: uint8 (h, w) of the photo's size, 255 = repaint, or None.
    photo_parts, garment_parts: arrays that the tailor computed once, by name. An engine computes
    those that it needs and that are missing.
    tier: the quality level at which it was admitted; None: the engine's own best.
    """

    id: str
    photo: Pixels
    garment: Pixels
    category: Category
    noise: Noise
    options: Options = field(default_factory=Options)
    mask: Pixels | None = None
    photo_parts: Parts = field(default_factory=dict)
    garment_parts: Parts = field(default_factory=dict)
    seed: int = 0
    tier: Tier | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """The result: uint8 (h, w, 3) RGB in the photo's own framing, and the name of its tier."""

    pixels: Pixels
    tier: str = "full"


@runtime_checkable
class Sample(Protocol):
    """An order under way in an engine, and its state between steps: `step` of `steps` are done."""

    order: Order
    step: int
    steps: int


class Engine(Protocol):
    """Model backend: draws pictures, several samples in each step. A worker process has one engine.

    An engine that is not iterative has one step. Tailor and fetcher have only the part of it that
    the step loop calls (`scheduling.loop.Steps`), with orders of their own.
    `admit`, `step`, `partial` and `finish` come from one thread, unless the engine has an attribute
    `has_side_thread = True`: then `admit` and `finish` may be called in a second thread, one sample
    at a time, while the first one steps.
    """

    name: str
    licence: str
    is_preview: bool
    categories: frozenset[Category]
    honours: frozenset[str]  # the options that change its picture, as `contract.HONOURED` has them
    max_slots: int
    device: str

    def warm_up(self) -> None:
        """Loads weights and compiles. The worker reports itself ready after it returned."""

    def steps_of(self, tier: Tier) -> int:
        """How many steps a picture of this tier takes: 1 where the engine is not iterative.

        Known before the first picture, so that times can be predicted from the start.
        """
        ...

    def admit(self, order: Order) -> Sample:
        """Prepares an order.

        Raises:
            Refusal: the order cannot become an honest picture.
        """
        ...

    def step(self, samples: Sequence[Sample]) -> None:
        """Advances every sample by one step, all in one forward pass.

        Raises:
            OutOfMemoryError: the worker then tries half of them.
            DeviceLostError: the worker then ends.
            Exception: anything else; the worker then runs each sample alone, to find the one that
                raises (poison message).
        """

    def partial(self, sample: Sample) -> Pixels | None:
        """An intermediate preview of a sample under way, cheap to make, of any size; None where the
        engine has none. Does not change the sample."""
        ...

    def finish(self, sample: Sample) -> Picture:
        """Makes the picture of a sample whose steps are done.

        Raises:
            Refusal: the engine's own check of the result failed.
        """
        ...
