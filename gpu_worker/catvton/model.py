"""U-Net, VAE and schedule of one pipeline, loaded and ready to compute.

Knows tensors and devices; no order, no queue. Latents are float32 whatever the U-Net's dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor

from gpu_worker.catvton.attention import bypass_cross_attention
from gpu_worker.catvton.layout import LAYOUTS, Layout
from gpu_worker.catvton.sampler import Schedule
from gpu_worker.catvton.sources import Kind, WeightsError


@dataclass(slots=True)
class Model:
    layout: Layout
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    schedule: Schedule
    device: torch.device
    dtype: torch.dtype

    def encode(self, pixels: Tensor, posterior: Tensor) -> Tensor:
        """(3, H, W) in [-1, 1] and standard normal (4, h, w) -> scaled latents (4, h, w)."""
        batch = pixels[None].to(self.device).contiguous()
        distribution = self.vae.encode(batch).latent_dist
        drawn: Tensor = distribution.mean + distribution.std * posterior.to(self.device)
        return drawn[0] * self._scaling

    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents (4, h, w) -> (3, H, W), not clamped."""
        decoded: Tensor = self.vae.decode(latents[None] / self._scaling).sample
        return decoded[0]

    @property
    def _scaling(self) -> float:
        return float(self.vae.config.scaling_factor)

    def predict_noise(self, rows: Tensor, timesteps: Tensor) -> Tensor:
        """(n, in_channels, h, w) and (n,) -> (n, 4, h, w) float32: one forward for all rows."""
        predicted: Tensor = self.unet(
            rows.to(self.dtype), timesteps, encoder_hidden_states=None, return_dict=False
        )[0]
        return predicted.float()


def assemble(
    kind: Kind,
    *,
    base: Path,
    vae: Path,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    prepare: Callable[[UNet2DConditionModel], None] = lambda _: None,
) -> Model:
    """Reads diffusers' folder layout (`base/unet`, `base/scheduler`, `vae`) from disk.

    `prepare` sets what the base does not hold.

    Raises:
        WeightsError: the base is another model's.
    """
    layout = LAYOUTS[kind]
    unet = UNet2DConditionModel.from_pretrained(
        base / "unet", torch_dtype=dtype, local_files_only=True
    )
    if unet.config.in_channels != layout.in_channels:
        raise WeightsError(
            f"{kind.value} needs a U-Net of {layout.in_channels} channels, this one has"
            f" {unet.config.in_channels}"
        )
    bypass_cross_attention(unet)
    prepare(unet)
    decoder = AutoencoderKL.from_pretrained(vae, local_files_only=True)
    return Model(
        layout=layout,
        unet=unet.to(device=device).eval().requires_grad_(False),
        vae=decoder.to(device=device).eval().requires_grad_(False),
        schedule=_schedule(base / "scheduler", device),
        device=device,
        dtype=dtype,
    )


def _schedule(folder: Path, device: torch.device) -> Schedule:
    """diffusers computes the table from the base's own file; the sampler itself is ours."""
    tables = DDIMScheduler.from_pretrained(folder, local_files_only=True)
    return Schedule(
        alphas=tables.alphas_cumprod.to(device),
        steps_offset=tables.config.steps_offset,
        final_alpha=tables.final_alpha_cumprod.to(device),
    )
