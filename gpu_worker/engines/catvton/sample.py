"""One order on its way through the network: all its state between two steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gpu_worker.engine import Noise, Order, Pixels
from gpu_worker.engines.catvton.framing import Window
from gpu_worker.engines.catvton.sampler import Step


@dataclass(frozen=True, slots=True)
class Size:
    """Of the picture the network draws, px."""

    width: int
    height: int

    @classmethod
    def of(cls, text: str) -> Size:
        """From `768x1024`."""
        width, height = text.split("x")
        return cls(int(width), int(height))

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def pixels(self) -> int:
        return self.width * self.height


@dataclass(slots=True)
class CatvtonSample:
    """latents: float32 (4, h, w) of the joined canvas; conditions: (1 or 2, in_channels - 4, h, w),
    the unconditional row first where there is guidance;
    paste: uint8 of the photo's size, where the photo may change, or None: everywhere;
    original: the finished picture's latents as the last step saw them."""

    order: Order
    noise: Noise
    size: Size
    window: Window
    plan: list[Step]
    tier: str
    guidance_scale: float
    latents: Tensor
    conditions: Tensor
    paste: Pixels | None
    step: int = 0
    is_second_try: bool = False
    original: Tensor | None = None
    _fresh: NDArray[np.float32] | None = None

    @property
    def steps(self) -> int:
        return len(self.plan)

    @property
    def now(self) -> Step:
        """The step that comes next."""
        return self.plan[self.step]

    @property
    def rows(self) -> int:
        """How many rows of a forward pass are this sample's: two when it is guided."""
        return len(self.conditions)

    def as_rows(self) -> Tensor:
        """(rows, in_channels, h, w): what the network sees of it now."""
        latents = self.latents.expand(self.rows, *self.latents.shape)
        return torch.cat([latents, self.conditions], dim=1)

    def fresh(self) -> NDArray[np.float32]:
        """The coming step's noise: drawn once, however often the step is tried."""
        if self._fresh is None:
            self._fresh = self.noise.draw("step", tuple(self.latents.shape))
        return self._fresh

    def move(self, latents: Tensor, original: Tensor) -> None:
        """One step on."""
        self.latents = latents
        self.original = original
        self.step += 1
        self._fresh = None
