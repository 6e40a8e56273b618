"""How far each tier's picture is from one of 50 steps: `python -m bench.engine.tiers`.

**Measured without the real weights**: with random or barely trained networks it says nothing about
what a shopper sees; run it where the weights are. The sampler draws fresh noise at every step, so
compare each distance with that of another seed, the last row.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bench.engine.likeness import psnr, ssim
from bench.engine.subjects import Subject, order
from gpu_worker.contract import Tier
from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.model import assemble
from gpu_worker.engines.catvton.sample import Size
from gpu_worker.weights.sources import Kind

SEEDS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """Means over `SEEDS` seeds, compared with the same seed in 50 steps at the large size."""

    rung: str
    picture_ssim: float
    picture_psnr: float
    latents_ssim: float
    latents_psnr: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.engine.tiers", description=__doc__)
    parser.add_argument("--models", type=Path, help="unet, vae and scheduler of the inpaint kind")
    parser.add_argument("--most-steps", type=int, default=50)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    subject = Subject(False, torch.device("cpu"), torch.float32)
    engine = _engine(subject, asked.models)
    rows = list(measure(engine, subject.sizes, asked.most_steps))
    print("measured without the real weights; SSIM and PSNR (dB) against 50 steps")
    print("rung                  picture           latents")
    for row in rows:
        print(
            f"{row.rung:18} {row.picture_ssim:6.3f} {row.picture_psnr:6.1f}"
            f"     {row.latents_ssim:6.3f} {row.latents_psnr:6.1f}"
        )
    if asked.json:
        asked.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def _engine(subject: Subject, models: Path | None) -> CatvtonEngine:
    if models is None:
        return subject.engine(("fused_qkv",), 1)
    model = assemble(Kind.INPAINT, base=models, vae=models / "vae", device=subject.device)
    return CatvtonEngine(model, sizes=subject.sizes, reads_photos=False)


def measure(engine: CatvtonEngine, sizes: tuple[Size, Size], most: int) -> Iterator[Row]:
    """A row for each lower tier, and one of another seed as the yardstick."""
    large, small = sizes
    best = [_drawn(engine, seed, large, large, most) for seed in range(SEEDS)]
    for name, size, steps, shift in (
        (f"{most * 3 // 5} steps", large, most * 3 // 5, 0),
        (f"{most * 2 // 5} steps", large, most * 2 // 5, 0),
        (f"{most * 2 // 5} steps, small", small, most * 2 // 5, 0),
        (f"{most} steps, new seed", large, most, SEEDS),
    ):
        pairs = [
            (_drawn(engine, seed, large, size, steps, shift), best[seed]) for seed in range(SEEDS)
        ]
        yield _row(name, pairs)


Drawn = tuple[NDArray[Any], NDArray[Any]]  # picture (h, w, 3) and latents (h, w, 4)


def _drawn(
    engine: CatvtonEngine, seed: int, shown: Size, size: Size, steps: int, shift: int = 0
) -> Drawn:
    """Draws the photo and garment of a seed at a size. `shift`: added to the noise's seed only."""
    rung = Tier("rung", steps, size.width, size.height)
    asked = replace(order(seed, shown, steps, seed + shift), tier=rung)
    sample = engine.admit(asked)
    while sample.step < sample.steps:
        engine.step([sample])
    half = sample.latents[:, : size.height // 8]
    return engine.draw(sample), half.permute(1, 2, 0).numpy()


def _row(name: str, pairs: Sequence[tuple[Drawn, Drawn]]) -> Row:
    def mean(measured: Any, which: int) -> float:
        values = [
            measured(_fitted(ours[which], best[which]), best[which], _span(best[which]))
            for ours, best in pairs
        ]
        return round(float(np.mean(values)), 4)

    return Row(name, mean(ssim, 0), mean(psnr, 0), mean(ssim, 1), mean(psnr, 1))


def _span(array: NDArray[Any]) -> float:
    return 255.0 if array.dtype == np.uint8 else float(array.max() - array.min())


def _fitted(array: NDArray[Any], like: NDArray[Any]) -> NDArray[Any]:
    """A small tier's picture, enlarged as the shopper sees it."""
    if array.shape == like.shape:
        return array
    size = (like.shape[1], like.shape[0])
    if array.dtype == np.uint8:
        return np.asarray(Image.fromarray(array).resize(size, Image.Resampling.LANCZOS))
    planes = [
        np.asarray(Image.fromarray(array[..., c]).resize(size, Image.Resampling.BICUBIC))
        for c in range(array.shape[-1])
    ]
    return np.stack(planes, axis=-1)


if __name__ == "__main__":
    main()
