"""The U-Net in the form we run it: the forms differ in speed, not in what they compute.

Knows one network's modules. Which rows, which batch sizes, which device: others.
"""

from __future__ import annotations

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from gpu_worker.catvton.layout import LATENT_CHANNELS
from gpu_worker.catvton.switches import Switches


class Denoiser(nn.Module):
    """Predicts the noise in latents, given what stays the same in all steps of a sample."""

    def __init__(self, unet: UNet2DConditionModel, switches: Switches):
        super().__init__()
        self.unet = unet
        self.is_split = switches.split_conv_in
        if switches.fused_qkv:
            fuse_qkv(unet)
        if switches.split_conv_in:
            self.noise_in, self.given_in = split(unet.conv_in)
            unet.conv_in = nn.Identity()
        if switches.channels_last:
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def remember(self, conditions: Tensor) -> Tensor:
        """(n, in_channels - 4, h, w) -> what `forward` takes of them at every step."""
        if not self.is_split:
            return conditions
        remembered: Tensor = self.given_in(conditions)
        return remembered

    def forward(self, latents: Tensor, given: Tensor, timesteps: Tensor) -> Tensor:
        """(n, 4, h, w), what was remembered, (n,) -> (n, 4, h, w)."""
        if self.is_split:
            entered = self.noise_in(latents) + given
        else:
            entered = torch.cat([latents, given], dim=1)
        predicted: Tensor = self.unet(
            entered, timesteps, encoder_hidden_states=None, return_dict=False
        )[0]
        return predicted


def fuse_qkv(unet: UNet2DConditionModel) -> None:
    """diffusers fuses; we drop the three matrices that nobody reads any more."""
    unet.fuse_qkv_projections()
    for module in unet.modules():
        if hasattr(module, "to_qkv"):
            del module.to_q, module.to_k, module.to_v


def split(conv_in: nn.Conv2d) -> tuple[nn.Conv2d, nn.Conv2d]:
    """A convolution is a sum over its input channels: the noise's share, and the conditions' with
    the bias."""
    noise = _like(conv_in, LATENT_CHANNELS, bias=False)
    given = _like(conv_in, conv_in.in_channels - LATENT_CHANNELS, bias=True)
    with torch.no_grad():
        noise.weight.copy_(conv_in.weight[:, :LATENT_CHANNELS])
        given.weight.copy_(conv_in.weight[:, LATENT_CHANNELS:])
        if conv_in.bias is None or given.bias is None:
            raise ValueError("the network's first convolution has no bias")
        given.bias.copy_(conv_in.bias)
    return noise, given


def _like(conv: nn.Conv2d, in_channels: int, *, bias: bool) -> nn.Conv2d:
    return nn.Conv2d(
        in_channels,
        conv.out_channels,
        kernel_size=(3, 3),
        padding=(1, 1),
        bias=bias,
        device=conv.weight.device,
        dtype=conv.weight.dtype,
    )
