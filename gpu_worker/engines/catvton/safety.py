"""The safety checker: whether a picture may be shown, by the base model's own CLIP concepts.

Source: the `safety_checker` and `feature_extractor` of the base repository. It only answers yes or
no; it never changes a picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from PIL import Image
from transformers import CLIPImageProcessor

from gpu_worker.engine import Pixels


class Checker(Protocol):
    """What the engine needs of a safety checker."""

    def is_safe(self, picture: Pixels) -> bool: ...


class SafetyChecker:
    """The base model's own checker, in float32, on the engine's device."""

    def __init__(self, base: Path, device: torch.device):
        self._device = device
        self._features = CLIPImageProcessor.from_pretrained(
            base / "feature_extractor", local_files_only=True
        )
        checker = StableDiffusionSafetyChecker.from_pretrained(
            base / "safety_checker", local_files_only=True, dtype=torch.float32
        )
        self._checker = checker.to(device).eval()

    @torch.inference_mode()
    def is_safe(self, picture: Pixels) -> bool:
        """picture: uint8 (h, w, 3) RGB."""
        clip = self._features(Image.fromarray(picture), return_tensors="pt").pixel_values
        # The checker blackens flagged images in place, so it gets a dummy of one pixel.
        _, flagged = self._checker(
            images=np.zeros((1, 1, 1, 3), dtype=np.float32), clip_input=clip.to(self._device)
        )
        return not flagged[0]
