"""U-Net, VAE and noise schedule of one pipeline, loaded and on their device.

Knows tensors and devices; no order, no queue. Latents are float32 whatever the U-Net's dtype.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeVar

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors import SafetensorError
from torch import Tensor

from gpu_worker.engines.catvton.attention import bypass_cross_attention
from gpu_worker.engines.catvton.denoiser import Denoiser
from gpu_worker.engines.catvton.device import SideStream, name_of, send
from gpu_worker.engines.catvton.layout import LAYOUTS, Layout
from gpu_worker.engines.catvton.passes import Passes
from gpu_worker.engines.catvton.sampler import Schedule
from gpu_worker.engines.catvton.switches import Switches
from gpu_worker.weights.sources import Kind, WeightsError

log = logging.getLogger(__name__)


class _Pretrained(Protocol):
    """A diffusers model class: reads a folder, and reports which tensors it found there."""

    @classmethod
    def from_pretrained(
        cls, folder: Path, *, local_files_only: bool, output_loading_info: bool, **how: torch.dtype
    ) -> tuple[Self, Mapping[str, Sequence[str]]]: ...


_P = TypeVar("_P", bound=_Pretrained)


@dataclass(slots=True)
class Model:
    """One pipeline's networks on their device. `dtype`: of the U-Net; changes on an overflow."""

    layout: Layout
    denoiser: Denoiser
    vae: AutoencoderKL
    schedule: Schedule
    device: torch.device
    dtype: torch.dtype
    passes: Passes
    side_stream: SideStream

    @property
    def unet(self) -> UNet2DConditionModel:
        return self.denoiser.unet

    def encode(self, pixels: Tensor, posterior: Tensor) -> Tensor:
        """(3, H, W) in [-1, 1] and standard normal (4, h, w) -> scaled latents (4, h, w)."""

        # Contiguous: a strided picture changes the latents (by 7e-5 with a random VAE).
        batch = send(pixels[None].contiguous(), self.device)
        distribution = self.vae.encode(batch).latent_dist
        drawn: Tensor = distribution.mean + distribution.std * send(posterior, self.device)
        return drawn[0] * self._scaling

    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents (4, h, w) -> (3, H, W), not clamped."""
        decoded: Tensor = self.vae.decode(latents[None].contiguous() / self._scaling).sample
        return decoded[0]

    @property
    def _scaling(self) -> float:
        return float(self.vae.config.scaling_factor)

    def predict_noise(self, rows: Tensor, timesteps: Tensor) -> Tensor:
        """One forward pass. rows: (n, in_channels, h, w), latents with condition channels;
        timesteps: (n,). Returns (n, 4, h, w) float32."""
        return self.passes(rows.to(self.dtype), timesteps).float()

    @property
    def may_overflow(self) -> bool:
        return self.dtype == torch.float16

    def give_up_float16(self) -> None:
        """Goes on in bfloat16, which has the range of float32 but is coarser than float16."""
        log.warning(
            "the network overflowed in float16: going on in bfloat16, not compiled;"
            " PROTEUS_DTYPE=bfloat16 begins with it"
        )
        self.passes.forget()
        self.dtype = torch.bfloat16
        self.denoiser.to(self.dtype)

    def encoder_key(self) -> str:
        """Cache key of latents: a hash of the VAE encoder's weights and the device's name (kernels
        of another device round differently)."""
        digest = hashlib.sha256(name_of(self.device).encode())
        for name, tensor in sorted(self.vae.state_dict().items()):
            if not name.startswith(("decoder.", "post_quant_conv.")):
                digest.update(name.encode())
                digest.update(tensor.float().cpu().numpy().tobytes())
        return digest.hexdigest()[:16]


def assemble(
    kind: Kind,
    *,
    base: Path,
    vae: Path,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    switches: Switches | None = None,
    prepare: Callable[[UNet2DConditionModel], None] = lambda _: None,
    backend: str = "inductor",
) -> Model:
    """Reads diffusers' folder layout (`base/unet`, `base/scheduler`, `vae`) from disk.

    `prepare` sets weights that the base does not contain. `backend`: of torch.compile.

    Raises:
        WeightsError: files are missing or broken, or the base belongs to another pipeline.
    """
    layout = LAYOUTS[kind]
    unet = _unet(base / "unet", layout, dtype)
    bypass_cross_attention(unet)
    prepare(unet)
    coder: AutoencoderKL = _whole(AutoencoderKL, vae)
    return join(
        layout,
        unet=unet,
        vae=coder,
        schedule=_schedule(base / "scheduler"),
        device=device,
        switches=switches or Switches(),
        backend=backend,
    )


def join(
    layout: Layout,
    *,
    unet: UNet2DConditionModel,
    vae: AutoencoderKL,
    schedule: Schedule,
    device: torch.device,
    switches: Switches,
    backend: str = "inductor",
) -> Model:
    """Moves the loaded parts to the device and puts the U-Net into the form of the switches."""
    denoiser = Denoiser(unet.to(device), switches).eval().requires_grad_(False)
    return Model(
        layout=layout,
        denoiser=denoiser,
        vae=vae.to(device=device).eval().requires_grad_(False),
        schedule=schedule,
        device=device,
        dtype=unet.dtype,
        passes=Passes(denoiser, switches, backend),
        side_stream=SideStream(device),
    )


def _unet(folder: Path, layout: Layout, dtype: torch.dtype) -> UNet2DConditionModel:
    unet: UNet2DConditionModel = _whole(UNet2DConditionModel, folder, torch_dtype=dtype)
    if unet.config.in_channels != layout.in_channels:
        raise WeightsError(
            f"{layout.kind.value} needs a U-Net of {layout.in_channels} channels, this one has"
            f" {unet.config.in_channels}"
        )
    return unet


def _whole(kind: type[_P], folder: Path, **how: torch.dtype) -> _P:
    """Loads a model that must be complete: diffusers itself only warns about missing tensors, and
    leaves them with random values."""
    try:
        model, told = kind.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, **how
        )
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{folder.name}: {error}") from error
    lacking = [*told["missing_keys"], *told["mismatched_keys"]]
    if lacking:
        raise WeightsError(f"{folder.name}: {len(lacking)} tensors are missing, as {lacking[0]}")
    return model


def _schedule(folder: Path) -> Schedule:
    """The noise schedule: diffusers computes it from the base's file. The sampler is ours."""
    return schedule_of(DDIMScheduler.from_pretrained(folder, local_files_only=True))


def schedule_of(tables: DDIMScheduler) -> Schedule:
    return Schedule(
        alphas=tuple(tables.alphas_cumprod.tolist()),
        steps_offset=tables.config.steps_offset,
        final_alpha=float(tables.final_alpha_cumprod),
    )
