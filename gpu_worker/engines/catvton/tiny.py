"""Writes small random weights in exactly the real layout, so that real loading code runs anywhere.

The pictures are noise. For tests and benchmarks of everything but quality; the folder's README says
so.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPImageProcessor

from gpu_worker.engines.catvton.attention import PLACES_PER_ATTENTION, TENSORS, self_attentions
from gpu_worker.engines.catvton.layout import LAYOUTS
from gpu_worker.weights.sources import ATTENTION_FILE, SOURCES, Kind

UNET_CHANNELS = (32, 64, 64, 64)
VAE_CHANNELS = (16, 32, 32, 32)
NOTE = "Random weights of the right shapes. They draw noise; use them to test the road only.\n"


def write_tiny(folder: Path, kind: Kind, seed: int = 0) -> None:
    """Writes `<owner>/<repository>/…` for every source of the pipeline under `folder`."""
    torch.manual_seed(seed)
    sources = SOURCES[kind]
    unet = unet_of(LAYOUTS[kind].in_channels)
    base = folder / sources.base.repository
    unet.save_pretrained(base / "unet")
    scheduler().save_pretrained(base / "scheduler")
    _safety_checker().save_pretrained(base / "safety_checker")
    CLIPImageProcessor(size=32, crop_size=32).save_pretrained(base / "feature_extractor")
    vae().save_pretrained(folder / sources.vae.repository)
    _write_attention(unet, folder / sources.attention.repository / ATTENTION_FILE)
    for source in sources.all():
        (folder / source.repository / "README.md").write_text(NOTE)


def unet_of(in_channels: int) -> UNet2DConditionModel:
    """SD-1.5's architecture with fewer channels: the same blocks, two layers each, so that the
    weight file has its sixteen self-attentions at the real positions."""
    return UNet2DConditionModel(
        in_channels=in_channels,
        out_channels=4,
        block_out_channels=UNET_CHANNELS,
        layers_per_block=2,
        attention_head_dim=4,
        cross_attention_dim=32,
        norm_num_groups=8,
    )


def vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=VAE_CHANNELS,
        down_block_types=("DownEncoderBlock2D",) * len(VAE_CHANNELS),
        up_block_types=("UpDecoderBlock2D",) * len(VAE_CHANNELS),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
    )


def scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def _safety_checker() -> StableDiffusionSafetyChecker:
    tower = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    config = CLIPConfig(
        vision_config={**tower, "num_attention_heads": 2, "image_size": 32, "patch_size": 16},
        text_config={**tower, "num_attention_heads": 2, "vocab_size": 64},
        projection_dim=16,
    )
    return StableDiffusionSafetyChecker(config)


def _write_attention(unet: UNet2DConditionModel, path: Path) -> None:
    """Writes other values than the base's, so that a loader that sets nothing fails the tests."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{n * PLACES_PER_ATTENTION}.{tensor}": torch.randn_like(
            unet.get_parameter(f"{name}.{tensor}")
        )
        * 0.05
        for n, name in enumerate(self_attentions(unet))
        for tensor in TENSORS
    }
    save_file(tensors, path, metadata={"format": "pt"})


def describe(folder: Path) -> str:
    """The files written, with their sizes, as JSON."""
    files = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return json.dumps(files, indent=1)
