"""Orders and engines at a size that a CPU draws in moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel

from gpu_worker.contract import Category, Options, Tier
from gpu_worker.engine import Order, SeededNoise
from gpu_worker.engines.catvton.attention import bypass_cross_attention
from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.model import Model, assemble, join
from gpu_worker.engines.catvton.sample import CatvtonSample, Size
from gpu_worker.engines.catvton.switches import Switches
from gpu_worker.weights.sources import SOURCES, Kind

CPU = torch.device("cpu")
SIZE = Size(64, 96)
SMALL = Size(32, 48)
RUNG = Tier("full", 4, 64, 96)
SMALL_RUNG = Tier("small", 3, 32, 48)


def tiny_model(
    weights: Path,
    kind: Kind = Kind.MASKFREE,
    *words: str,
    dtype: torch.dtype = torch.float32,
    backend: str = "eager",
    device: torch.device = CPU,
) -> Model:
    """The base alone: which attention weights lie on it is the loader's test."""
    sources = SOURCES[kind]
    return assemble(
        kind,
        base=weights / sources.base.repository,
        vae=weights / sources.vae.repository,
        device=device,
        dtype=dtype,
        switches=Switches.of(words),
        backend=backend,
    )


def thin_model(weights: Path, *words: str, backend: str = "eager") -> Model:
    """A network of two blocks: compiling it takes seconds, not minutes."""
    unet = UNet2DConditionModel(
        in_channels=8,
        out_channels=4,
        block_out_channels=(16, 16),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        attention_head_dim=2,
        cross_attention_dim=8,
        norm_num_groups=4,
    )
    dice = torch.Generator().manual_seed(0)
    for parameter in unet.parameters():  # the same in every process
        parameter.data = torch.randn(parameter.shape, generator=dice) * 0.1
    bypass_cross_attention(unet)
    return _with_network(weights, unet, words, backend)


class OneConvolution(torch.nn.Module):
    """The least that can stand where the U-Net stands, and a picture still depends on all of it."""

    dtype = torch.float32

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, rows: torch.Tensor, timesteps: torch.Tensor, **_: Any) -> tuple[torch.Tensor]:
        return (torch.tanh(self.convolution(rows) + timesteps[:, None, None, None] / 1000),)


def least_model(weights: Path, *words: str, backend: str = "eager") -> Model:
    """A network of one layer, where what is under test is how passes are run: it is compiled for
    one more shape in a moment."""
    torch.manual_seed(0)
    network: Any = OneConvolution()
    return _with_network(weights, network, words, backend)


def _with_network(
    weights: Path, unet: UNet2DConditionModel, words: Sequence[str], backend: str
) -> Model:
    base = tiny_model(weights)
    return join(
        base.layout,
        unet=unet,
        vae=base.vae,
        schedule=base.schedule,
        device=base.device,
        switches=Switches.of(words),
        backend=backend,
    )


def engine_of(model: Model, **how: Any) -> CatvtonEngine:
    return CatvtonEngine(model, **{"sizes": [SIZE, SMALL], **how})


def order(seed: int = 1, steps: int | None = 2, guidance_scale: float = 2.5, **more: Any) -> Order:
    dice = np.random.default_rng(seed)
    mask = np.zeros((144, 100), dtype=np.uint8)
    mask[40:120, 20:80] = 255
    made = Order(
        id=f"try_{seed}",
        photo=dice.integers(0, 256, (144, 100, 3), dtype=np.uint8),
        garment=dice.integers(0, 256, (90, 120, 3), dtype=np.uint8),
        category=Category.UPPER,
        noise=SeededNoise(seed),
        mask=mask,
        seed=seed,
        options=Options(num_inference_steps=steps, guidance_scale=guidance_scale),
    )
    return replace(made, **more)


def run(engine: CatvtonEngine, samples: Sequence[CatvtonSample]) -> None:
    while any(sample.step < sample.steps for sample in samples):
        engine.step([sample for sample in samples if sample.step < sample.steps])


def drawn(engine: CatvtonEngine, *orders: Order) -> list[torch.Tensor]:
    """The orders' latents, drawn in one batch."""
    samples = [engine.admit(order) for order in orders]
    run(engine, samples)
    return [sample.latents for sample in samples]


def error(ours: torch.Tensor, reference: torch.Tensor) -> float:
    """Relative, Euclidean."""
    return float(torch.linalg.norm(ours - reference) / torch.linalg.norm(reference))
