"""The baseline: diffusers' own inpainting pipeline with the same number and size of U-Net rows, and
as many steps. It keeps its cross-attention, and its VAE codes the whole canvas, ours half of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image

from bench.engine.measure import now
from bench.engine.subjects import TEXT_TOKENS, Subject
from gpu_worker.engines.catvton.sample import Size

GUIDANCE_SCALE = 2.5


def rival_of(subject: Subject) -> StableDiffusionInpaintPipeline:
    """The pipeline without text encoder and safety checker, which are not compared."""
    unet = subject.unet()
    unet.register_to_config(sample_size=64)  # else the pipeline treats it as an outdated config
    pipeline = StableDiffusionInpaintPipeline(
        vae=subject.vae(subject.dtype),
        text_encoder=None,
        tokenizer=None,
        unet=unet,
        scheduler=subject.scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def seconds(pipeline: Any, subject: Subject, size: Size, steps: int, pictures: int = 1) -> float:
    """Seconds of one call for `pictures`: person above garment, with guidance, so as many rows as
    ours."""
    width, height = size.width, 2 * size.height
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = Image.new("L", (width, height), 0)
    mask.paste(255, (width // 4, height // 8, width * 3 // 4, height // 4))
    text = torch.zeros(
        1, TEXT_TOKENS, subject.text_width, device=subject.device, dtype=subject.dtype
    )
    began = now(subject.device)
    pipeline(
        image=Image.fromarray(noise),
        mask_image=mask,
        prompt_embeds=text,
        negative_prompt_embeds=text,
        num_images_per_prompt=pictures,
        height=height,
        width=width,
        num_inference_steps=steps,
        guidance_scale=GUIDANCE_SCALE,
        output_type="np",
    )
    return now(subject.device) - began
