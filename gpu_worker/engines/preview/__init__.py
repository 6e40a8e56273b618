"""The preview engine: warps a cut-out garment onto a photo on the CPU, in one step, without a
generative model. docs/preview.md explains it."""

from gpu_worker.engines.preview.engine import PreviewEngine

__all__ = ["PreviewEngine"]
