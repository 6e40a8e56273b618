"""The weight-free engine: fits a cut-out garment onto a photo on the CPU, in one step."""

from gpu_worker.engines.preview.engine import PreviewEngine

__all__ = ["PreviewEngine"]
