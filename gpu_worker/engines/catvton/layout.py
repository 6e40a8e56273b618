"""The joint latent canvas: person and garment side by side, for each of the two pipelines.

Pure: shapes and tensors in, tensors out. Axes and channel order: Chong et al., "CatVTON"
(arXiv 2407.15886), section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_worker.weights.sources import Kind

LATENT_CHANNELS = 4
LATENT_SCALE = 8  # pixels per latent cell, on either axis


@dataclass(frozen=True, slots=True)
class Layout:
    """How the halves are joined. `axis`: along which; it counts from the end, so that it is right
    with and without a batch dimension. `in_channels`: of the U-Net."""

    kind: Kind
    axis: int
    in_channels: int

    def join(self, person: Tensor, garment: Tensor) -> Tensor:
        """Joins two (..., c, h, w): the person's half first, the garment's second."""
        return torch.cat([person, garment], dim=self.axis)

    def person_half(self, canvas: Tensor) -> Tensor:
        """The half that becomes the picture."""
        return canvas.chunk(2, dim=self.axis)[0]

    def canvas_shape(self, width_px: int, height_px: int) -> tuple[int, int, int]:
        """(4, h, w) of the joined latents for a picture of this size."""
        shape = [LATENT_CHANNELS, height_px // LATENT_SCALE, width_px // LATENT_SCALE]
        shape[self.axis] *= 2
        return shape[0], shape[1], shape[2]


LAYOUTS = {
    Kind.MASKFREE: Layout(Kind.MASKFREE, axis=-1, in_channels=8),
    Kind.INPAINT: Layout(Kind.INPAINT, axis=-2, in_channels=9),
}


def conditions(
    layout: Layout, person: Tensor, garment: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The condition channels beside the noisy latents: the unconditional and the conditional row.

    person, garment: (4, h, w) scaled latents; in the inpaint pipeline the person is masked.
    mask: (1, h, w), 1 = repaint; inpaint only. It covers the person's half; the garment's is 0.
    Returns: two tensors (in_channels - 4, H, W) of the joined canvas.
    """
    without = layout.join(person, torch.zeros_like(garment))
    given = layout.join(person, garment)
    if mask is None:
        return without, given
    canvas_mask = layout.join(mask, torch.zeros_like(mask))
    return torch.cat([canvas_mask, without]), torch.cat([canvas_mask, given])
