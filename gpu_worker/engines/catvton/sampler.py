"""The DDIM sampler, for a batch whose samples are at different time steps.

Source: Song et al., "Denoising Diffusion Implicit Models" (arXiv 2010.02502), equations 12 and 16.
Knows tensors and coefficients; no network, no pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ETA = 1.0  # the published sampler draws fresh noise at every step


@dataclass(frozen=True, slots=True)
class Step:
    """One step's constants. alpha: the cumulative product at its time step, `alpha_prev`: at the
    next one (the schedule's float32 values)."""

    timestep: int
    alpha: float
    alpha_prev: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """The noise schedule of a base model. alphas: the cumulative product of each training step,
    float32 values; final_alpha: after the last step."""

    alphas: tuple[float, ...]
    steps_offset: int
    final_alpha: float

    def steps(self, count: int) -> list[Step]:
        """`count` steps from noise to picture, "leading" spacing: t = k·(T // count) + offset.

        Raises:
            ValueError: the count is not from 1 to T - 1.
        """
        train_steps = len(self.alphas)
        if not 1 <= count < train_steps:
            raise ValueError(f"steps must be 1 to {train_steps - 1}, not {count}")
        stride = train_steps // count
        times = [k * stride + self.steps_offset for k in reversed(range(count))]
        return [Step(t, self._alpha(t), self._alpha(t - stride)) for t in times]

    def _alpha(self, timestep: int) -> float:
        return self.alphas[timestep] if timestep >= 0 else self.final_alpha


@dataclass(frozen=True, slots=True)
class Coefficients:
    """The factors of one DDIM step by sample, float32 (n, 1, 1, 1) each."""

    of_noise: Tensor
    of_original: Tensor
    of_original_prev: Tensor
    of_direction: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, steps: Sequence[Step], eta: float) -> Coefficients:
        """The factors of these steps. `eta`: 0 is deterministic DDIM, 1 has the noise of DDPM."""
        alpha = torch.tensor([step.alpha for step in steps])[:, None, None, None]
        prev = torch.tensor([step.alpha_prev for step in steps])[:, None, None, None]
        deviation = eta * ((1 - prev) / (1 - alpha) * (1 - alpha / prev)) ** 0.5
        return cls(
            of_noise=(1 - alpha) ** 0.5,
            of_original=alpha**0.5,
            of_original_prev=prev**0.5,
            of_direction=(1 - prev - deviation**2) ** 0.5,
            deviation=deviation,
        )

    def stacked(self) -> Tensor:
        """(5, n, 1, 1, 1): one copy to the device, not five."""
        return torch.stack(
            [
                self.of_noise,
                self.of_original,
                self.of_original_prev,
                self.of_direction,
                self.deviation,
            ]
        )


def guide(unconditional: Tensor, conditional: Tensor, guidance_scale: Tensor) -> Tensor:
    """Classifier-free guidance (Ho and Salimans, arXiv 2207.12598)."""
    return unconditional + guidance_scale * (conditional - unconditional)


def advance(
    latents: Tensor, noise_prediction: Tensor, coefficients: Coefficients, noise: Tensor | None
) -> tuple[Tensor, Tensor]:
    """One DDIM step of a batch, float32 throughout. All tensors (n, 4, h, w); noise None at eta 0.

    Returns: the latents after the step, and the predicted final latents (x0).
    """
    own = coefficients
    original = (latents - own.of_noise * noise_prediction) / own.of_original
    drift = own.of_original_prev * original + own.of_direction * noise_prediction
    return (drift if noise is None else drift + own.deviation * noise), original
