"""Finds a pipeline's weights on disk and loads them into a model. Never uses the network."""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from gpu_worker.engines.catvton.attention import load_self_attention
from gpu_worker.engines.catvton.model import Model, assemble
from gpu_worker.engines.catvton.switches import Switches
from gpu_worker.weights.disk import WeightFiles
from gpu_worker.weights.sources import ATTENTION_FILE, SOURCES, Kind, WeightsError


def load(
    kind: Kind,
    weight_files: WeightFiles,
    device: torch.device,
    dtype: torch.dtype,
    switches: Switches | None = None,
) -> Model:
    """The whole pipeline with its trained self-attention.

    Raises:
        WeightsError: a file is missing, truncated, or belongs to another model.
    """
    sources = SOURCES[kind]
    base, vae = weight_files.root(sources.base), weight_files.root(sources.vae)
    attention = weight_files.root(sources.attention) / ATTENTION_FILE
    try:
        tensors = load_file(attention)
    except SafetensorError as error:
        raise WeightsError(f"{attention.name} is no complete safetensors file: {error}") from error
    return assemble(
        kind,
        base=base,
        vae=vae,
        device=device,
        dtype=dtype,
        switches=switches,
        prepare=lambda unet: load_self_attention(unet, tensors),
    )
