"""The DDIM sampler, one sample at a time step of its own.

Source: Song et al., "Denoising Diffusion Implicit Models" (arXiv 2010.02502), equations 12 and 16.
Knows tensors and coefficients; no network, no batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

ETA = 1.0  # the published sampler draws fresh noise at every step


@dataclass(frozen=True, slots=True)
class Step:
    """One step's constants, float32 as the schedule gives them."""

    timestep: int
    alpha: Tensor
    alpha_prev: Tensor


@dataclass(frozen=True, slots=True)
class Schedule:
    """The noise schedule of a base model: `alphas`, float32 (train_steps,), cumulative products."""

    alphas: Tensor
    steps_offset: int
    final_alpha: Tensor

    def steps(self, count: int) -> list[Step]:
        """`count` steps from noise to picture, "leading" spacing: t = k·(T // count) + offset."""
        train_steps = len(self.alphas)
        if not 1 <= count <= train_steps:
            raise ValueError(f"steps must be 1 to {train_steps}, not {count}")
        stride = train_steps // count
        times = [k * stride + self.steps_offset for k in reversed(range(count))]
        return [Step(t, self.alphas[t], self._alpha_before(t - stride)) for t in times]

    def _alpha_before(self, timestep: int) -> Tensor:
        return self.alphas[timestep] if timestep >= 0 else self.final_alpha


def guide(unconditional: Tensor, conditional: Tensor, guidance_scale: float) -> Tensor:
    """Classifier-free guidance (Ho and Salimans, arXiv 2207.12598)."""
    return unconditional + guidance_scale * (conditional - unconditional)


def predict_original(latents: Tensor, noise_prediction: Tensor, step: Step) -> Tensor:
    """The picture's latents as this step sees them (x0)."""
    return (latents - (1 - step.alpha) ** 0.5 * noise_prediction) / step.alpha**0.5


def advance(
    latents: Tensor,
    noise_prediction: Tensor,
    step: Step,
    noise: Tensor | None,
    eta: float = ETA,
) -> Tensor:
    """One DDIM step, float32 throughout. All tensors have the latents' shape; no noise at eta 0."""
    original = predict_original(latents, noise_prediction, step)
    ratio = (1 - step.alpha_prev) / (1 - step.alpha)
    deviation = eta * (ratio * (1 - step.alpha / step.alpha_prev)) ** 0.5
    direction = (1 - step.alpha_prev - deviation**2) ** 0.5 * noise_prediction
    drift = step.alpha_prev**0.5 * original + direction
    return drift if noise is None else drift + deviation * noise
