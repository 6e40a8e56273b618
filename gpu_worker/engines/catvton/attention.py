"""Adapts a Stable Diffusion U-Net to CatVTON: cross-attention (the text) becomes the identity, and
self-attention gets CatVTON's trained weights.

The blocks still add `norm2(h)` to their residual; only the attention itself is bypassed. The
weight file is a flat list of tensors keyed by position, so the positions are written out here and
every tensor is checked: a silent mismatch would give plausible, wrong pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from gpu_worker.weights.sources import WeightsError

# One self-attention takes eight positions in the list: itself, to_q, to_k, to_v, to_out, to_out.0,
# to_out.1 and its processor.
PLACES_PER_ATTENTION = 8
TENSORS = ("to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight", "to_out.0.bias")
# The modules of the eight that own tensors: a file may key a tensor by its owner's own position.
PREFIXES = ("", "to_q.", "to_k.", "to_v.", "to_out.", "to_out.0.")


class Bypass(nn.Module):
    """The identity in place of cross-attention: returns its (normalised) input."""

    def forward(self, hidden_states: Tensor, *_: object, **__: object) -> Tensor:
        return hidden_states


def bypass_cross_attention(unet: UNet2DConditionModel) -> None:
    """Replaces every `attn2`, which also frees its parameters (44 M at full size)."""
    for module in list(unet.modules()):
        if hasattr(module, "attn2"):
            module.attn2 = Bypass()


def self_attentions(unet: UNet2DConditionModel) -> list[str]:
    """Qualified names of the self-attentions in the file's order: down, up, then the middle."""
    names = [name for name, _ in unet.named_modules() if name.endswith(".attn1")]
    order = {"down_blocks": 0, "up_blocks": 1, "mid_block": 2}
    return sorted(names, key=lambda name: order[name.split(".")[0]])


def load_self_attention(unet: UNet2DConditionModel, tensors: Mapping[str, Tensor]) -> None:
    """Sets every self-attention of `unet` from an index-keyed file.

    Raises:
        WeightsError: a tensor is missing, unknown, or of another shape.
    """
    expected = dict(_expected(unet))
    given = {_canonical(key): tensor for key, tensor in tensors.items()}
    _refuse_difference(expected, given)
    with torch.no_grad():
        for key, parameter in expected.items():
            parameter.copy_(given[key].to(parameter.dtype))


def _expected(unet: UNet2DConditionModel) -> Iterator[tuple[str, nn.Parameter]]:
    for n, name in enumerate(self_attentions(unet)):
        for tensor in TENSORS:
            yield f"{n * PLACES_PER_ATTENTION}.{tensor}", unet.get_parameter(f"{name}.{tensor}")


def _canonical(key: str) -> str:
    """One name per tensor: `9.weight` becomes `8.to_q.weight`. Unknown keys stay as they are."""
    place, _, rest = key.partition(".")
    if not place.isdigit():
        return key
    attention, inner = divmod(int(place), PLACES_PER_ATTENTION)
    if inner >= len(PREFIXES):
        return key
    return f"{attention * PLACES_PER_ATTENTION}.{PREFIXES[inner]}{rest}"


def _refuse_difference(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    faults = [
        *_missing(sorted(expected.keys() - given.keys()), len(expected)),
        *_foreign(sorted(given.keys() - expected.keys())),
        *_misshapen(expected, given),
    ]
    if faults:
        raise WeightsError("not this model's attention weights: " + "; ".join(faults))


def _missing(keys: Sequence[str], of: int) -> Iterator[str]:
    if keys:
        yield f"{len(keys)} of {of} tensors are missing, the first {keys[0]}"


def _foreign(keys: Sequence[str]) -> Iterator[str]:
    if keys:
        yield f"{len(keys)} are foreign, the first {keys[0]}"


def _misshapen(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Iterator[str]:
    for key in expected.keys() & given.keys():
        ours, theirs = tuple(expected[key].shape), tuple(given[key].shape)
        if ours != theirs:
            yield f"{key} is {theirs}, not {ours}"
