"""The networks under test, with random weights, tiny or of the real size, and orders for them.

Speed does not depend on the weights. It is the inpaint pipeline, because diffusers has one of the
same shape to compare with; the mask-free one has one input channel less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from PIL import Image
from torch import nn

from gpu_worker.contract import Category, Options, Tier
from gpu_worker.engine import Order, Pixels, SeededNoise
from gpu_worker.engines.catvton import tiny
from gpu_worker.engines.catvton.attention import bypass_cross_attention
from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.garments import GarmentCache
from gpu_worker.engines.catvton.layout import LAYOUTS
from gpu_worker.engines.catvton.model import Model, join, schedule_of
from gpu_worker.engines.catvton.sample import Size
from gpu_worker.engines.catvton.switches import Switches
from gpu_worker.weights.sources import Kind

MODES = {
    "eager": ("fused_qkv",),
    "compiled": ("fused_qkv", "compiled"),
    "graph": ("fused_qkv", "compiled", "graphs"),
}
TEXT_WIDTH = 768  # of the prompts that diffusers' own pipeline attends to, at the real size
TEXT_TOKENS = 77


@dataclass(frozen=True, slots=True)
class Subject:
    """What to measure. `is_full`: Stable Diffusion 1.5's size; else a thin one for CPUs."""

    is_full: bool
    device: torch.device
    dtype: torch.dtype

    @property
    def sizes(self) -> tuple[Size, Size]:
        return (Size(768, 1024), Size(384, 512)) if self.is_full else (Size(96, 128), Size(48, 64))

    @property
    def text_width(self) -> int:
        return TEXT_WIDTH if self.is_full else 32

    def unet(self) -> UNet2DConditionModel:
        """A random U-Net, still with its cross-attention."""
        torch.manual_seed(0)
        channels = LAYOUTS[Kind.INPAINT].in_channels
        with self.device:  # creates the weights on the device, not on the host
            made: Any = _full_unet(channels) if self.is_full else tiny.unet_of(channels)
        return nn.Module.to(made, self.device, self.dtype).eval()

    def vae(self, dtype: torch.dtype = torch.float32) -> AutoencoderKL:
        torch.manual_seed(1)
        with self.device:
            made: Any = _full_vae() if self.is_full else tiny.vae()
        return nn.Module.to(made, self.device, dtype).eval()

    def scheduler(self) -> DDIMScheduler:
        return tiny.scheduler()

    def model(self, words: tuple[str, ...]) -> Model:
        unet = self.unet()
        bypass_cross_attention(unet)
        return join(
            LAYOUTS[Kind.INPAINT],
            unet=unet,
            vae=self.vae(),
            schedule=schedule_of(self.scheduler()),
            device=self.device,
            switches=Switches.of(words),
        )

    def engine(self, words: tuple[str, ...], max_slots: int) -> CatvtonEngine:
        return CatvtonEngine(
            self.model(words),
            sizes=self.sizes,
            max_slots=max_slots,
            garments=GarmentCache(),
            reads_photos=False,
        )


def _full_unet(in_channels: int) -> UNet2DConditionModel:
    """Stable Diffusion 1.5's U-Net: diffusers' defaults except for these."""
    return UNet2DConditionModel(
        sample_size=64, in_channels=in_channels, out_channels=4, cross_attention_dim=TEXT_WIDTH
    )


def _full_vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=256,
    )


def order(seed: int, size: Size, steps: int, noise: int | None = None) -> Order:
    """An order whose photo is 1.5 times as large as the model's input, so that cropping and pasting
    have work. `noise`: another seed for the sampler only."""
    dice = np.random.default_rng(seed)
    height, width = size.height * 3 // 2, size.width * 3 // 2
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[height // 4 : height // 2, width // 4 : width * 3 // 4] = 255
    return Order(
        id=str(seed),
        photo=_patches(dice, width, height),
        garment=_patches(dice, size.height, size.height),
        category=Category.UPPER,
        noise=SeededNoise(seed if noise is None else noise),
        mask=mask,
        seed=seed,
        options=Options(num_inference_steps=steps),
        tier=Tier("bench", steps, size.width, size.height),
    )


def _patches(dice: np.random.Generator, width: int, height: int) -> Pixels:
    """Soft patches of colour: pure noise would lose all structure when resized."""
    small = dice.integers(0, 256, (12, 9, 3), dtype=np.uint8)
    patches = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(patches)
