"""One order on its way through the network: all its state between two steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_worker.catvton.framing import Window
from gpu_worker.catvton.sampler import Step
from gpu_worker.engine import Noise, Order


@dataclass(slots=True)
class CatvtonSample:
    """latents: float32 (4, h, w) of the joined canvas; the conditions (in_channels - 4, h, w)."""

    order: Order
    noise: Noise
    window: Window
    plan: list[Step]
    guidance_scale: float
    latents: Tensor
    unconditional: Tensor
    conditional: Tensor
    step: int = 0
    is_second_try: bool = False

    @property
    def steps(self) -> int:
        return len(self.plan)

    @property
    def now(self) -> Step:
        """The step that comes next."""
        return self.plan[self.step]

    @property
    def is_guided(self) -> bool:
        return self.guidance_scale > 1

    def rows(self) -> list[Tensor]:
        """What the U-Net sees of this sample: one row, or two when it is guided."""
        given = torch.cat([self.latents, self.conditional])
        if not self.is_guided:
            return [given]
        return [torch.cat([self.latents, self.unconditional]), given]
