"""What an engine is: the Protocol between the worker's loop and whatever draws pictures.

Knows arrays and time. No Redis, no store, no torch: an engine brings its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gpu_worker.contract import Category, EventData, Options, Reason, Tier

Pixels = NDArray[np.uint8]
Array = NDArray[np.generic]  # of any type: what is kept, or made floats of
Parts = Mapping[str, Array]


class Refusal(Exception):  # noqa: N818 - a refusal is no error
    """This input cannot become an honest picture. It fails alone; its batch-mates go on."""

    def __init__(self, reason: Reason, detail: str = "", data: EventData | None = None):
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
        self.data: EventData = data or {}


class OutOfMemoryError(Exception):
    """The device cannot hold this many samples at once; fewer may do. The samples are whole."""


class DeviceLostError(Exception):
    """Nothing can run on this device any more: the process must end, its jobs go back."""


class Noise(Protocol):
    """Where an engine's randomness comes from: a seeded generator, or recorded draws."""

    def draw(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Standard normal values. `name` says what for: `latents`, `step`, `posterior_person`."""
        ...


class SeededNoise:
    """Draws that depend on the seed, the name and the count of draws of that name alone, so that
    no batch-mate and no order of calls can change a picture."""

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
    """One picture to draw.

    photo, garment: uint8 (h, w, 3) RGB, upright sRGB, any size.
    mask: uint8 (h, w) of the photo's size, 255 = repaint, or None.
    photo_parts, garment_parts: arrays the tailor found once, by name; an engine that needs one
    that is missing computes it.
    tier: the rung it was admitted on; None: the engine's own best.
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
    """What an engine drew: uint8 (h, w, 3) RGB in the photo's own framing."""

    pixels: Pixels
    tier: str = "full"


@runtime_checkable
class Sample(Protocol):
    """One order on its way through an engine: `step` of `steps` are done."""

    order: Order
    step: int
    steps: int


class Engine(Protocol):
    """Draws pictures, several samples a step. One worker process serves one engine.

    An engine that cannot step has one step. The tailor follows the same shape. One that says
    `has_side_thread = True` may be asked to `admit` and to `finish` in another thread than the one
    that steps, one sample at a time.
    """

    name: str
    licence: str
    is_preview: bool
    categories: frozenset[Category]
    honours: frozenset[str]  # the options that change its picture, as `contract.HONOURED` has them
    max_slots: int
    device: str

    def warm_up(self) -> None:
        """Loads and compiles; the worker says that it is ready only after this returned."""

    def steps_of(self, tier: Tier) -> int:
        """How many steps a picture of this tier takes: 1 where the engine cannot step. Known
        before anything is drawn, so that nobody has to guess what a picture will take."""
        ...

    def admit(self, order: Order) -> Sample:
        """Prepares an order.

        Raises:
            Refusal: the order cannot become an honest picture.
        """
        ...

    def step(self, samples: Sequence[Sample]) -> None:
        """Moves every sample one step on, all in one forward pass.

        Raises:
            OutOfMemoryError: the worker then tries half of them.
            DeviceLostError: the worker then ends.
            Exception: anything else; the worker then runs the samples one by one.
        """

    def partial(self, sample: Sample) -> Pixels | None:
        """A partial picture of a sample under way, cheap to make, of any size; None where the
        engine has none. The sample stays as it is."""
        ...

    def finish(self, sample: Sample) -> Picture:
        """Turns a sample whose steps are done into its picture.

        Raises:
            Refusal: the engine's own check of the result failed.
        """
        ...
