"""One order under way in the network: all its state between two steps."""

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
    """The size of the picture that the network draws, px."""

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
    """The state of one order between steps.

    latents: float32 (4, h, w) of the joint canvas, noisy as after `step` steps.
    conditions: (1 or 2, in_channels - 4, h, w); with guidance the unconditional row comes first.
    plan: the steps' constants, all of them.
    paste: uint8 mask of the photo's size, where the photo may change; None: everywhere.
    original: the final latents as predicted by the last step (x0); None before the first.
    """

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
        """The constants of the next step."""
        return self.plan[self.step]

    @property
    def rows(self) -> int:
        """How many rows of a forward pass this sample takes: two with guidance, else one."""
        return len(self.conditions)

    def as_rows(self) -> Tensor:
        """The network's input: (rows, in_channels, h, w)."""
        latents = self.latents.expand(self.rows, *self.latents.shape)
        return torch.cat([latents, self.conditions], dim=1)

    def fresh(self) -> NDArray[np.float32]:
        """The noise of the next step, drawn once, however often that step is tried."""
        if self._fresh is None:
            self._fresh = self.noise.draw("step", tuple(self.latents.shape))
        return self._fresh

    def move(self, latents: Tensor, original: Tensor) -> None:
        """Takes over the results of a step."""
        self.latents = latents
        self.original = original
        self.step += 1
        self._fresh = None
