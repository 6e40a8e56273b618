"""The U-Net in the form in which we run it: the forms differ in speed, not in what they compute.

Knows one network's modules; no batches, no device.
"""

from __future__ import annotations

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from gpu_worker.engines.catvton.switches import Switches


class Denoiser(nn.Module):
    """Predicts the noise in latents, given the condition channels beside them."""

    def __init__(self, unet: UNet2DConditionModel, switches: Switches):
        super().__init__()
        self.unet = unet
        if switches.fused_qkv:
            fuse_qkv(unet)
        if switches.channels_last:
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, rows: Tensor, timesteps: Tensor) -> Tensor:
        """(n, in_channels, h, w), (n,) -> (n, 4, h, w)."""
        predicted: Tensor = self.unet(
            rows, timesteps, encoder_hidden_states=None, return_dict=False
        )[0]
        return predicted


def fuse_qkv(unet: UNet2DConditionModel) -> None:
    """Fuses the query, key and value projections (diffusers), and frees the unused originals."""
    unet.fuse_qkv_projections()
    for module in unet.modules():
        if hasattr(module, "to_qkv"):
            del module.to_q, module.to_k, module.to_v
