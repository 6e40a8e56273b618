"""Parity test: runs a recorded case of the reference implementation through our engine and measures
the difference.

A case folder holds `case.json`, the pictures, and `case.npz` with every random draw and the
reference's results. `models` names a folder in diffusers' layout, relative to the case.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from gpu_worker.contract import Category, Options
from gpu_worker.engine import Order, Pixels
from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.model import assemble
from gpu_worker.engines.catvton.sample import CatvtonSample, Size
from gpu_worker.engines.catvton.sampler import ETA
from gpu_worker.engines.catvton.switches import Switches
from gpu_worker.weights.sources import Kind

LATENTS_LIMIT = 2e-5  # relative, Euclidean
PICTURE_LIMIT = 1  # of 255
DRAWS = ("latents0", "posterior_person", "posterior_garment")
T = TypeVar("T")
Floats = NDArray[np.float32]


class Case(TypedDict):
    """`case.json`. A property of samples is one value for all of them, or a list."""

    kind: str
    models: str
    width: int
    height: int
    num_inference_steps: int | list[int]
    guidance_scale: float | list[float]
    eta: NotRequired[float]


@dataclass(frozen=True, slots=True)
class Recorded:
    """`case.npz`: the random draws by name, and the reference's results."""

    draws: Mapping[str, Floats]
    final_latents: Floats
    images: Pixels


@dataclass(frozen=True, slots=True)
class Errors:
    """The largest differences to the reference: relative of latents, in levels of pictures."""

    latents: float
    picture: int

    @property
    def within_limits(self) -> bool:
        return self.latents <= LATENTS_LIMIT and self.picture <= PICTURE_LIMIT


class RecordedNoise:
    """Replays the recorded draws of one sample of a case. With eta 0 the sampler needs no
    `step_noise`, so a case has none."""

    def __init__(self, draws: Mapping[str, Floats], index: int):
        self._draws = {
            "latents": draws["latents0"][index][None],
            "step": draws["step_noise"][index] if "step_noise" in draws else (),
            "posterior_person": draws["posterior_person"][index][None],
            "posterior_garment": draws["posterior_garment"][index][None],
        }
        self._drawn: Counter[str] = Counter()

    def draw(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        noise: NDArray[np.float32] = self._draws[name][self._drawn[name]]
        self._drawn[name] += 1
        if noise.shape != shape:
            raise ValueError(f"{name}: recorded {noise.shape}, asked for {shape}")
        return noise


def run_case(
    folder: Path, device: torch.device | None = None, switches: Switches | None = None
) -> Errors:
    """Draws all of the case's samples in one batch, in float32.

    Returns: the largest error of all samples, for latents (relative) and pictures (levels).
    """
    case: Case = json.loads((folder / "case.json").read_text())
    recorded = _recorded(folder / "case.npz", case.get("eta", ETA))
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32 here, on a GPU too
    engine = _engine(folder, case, device or torch.device("cpu"), switches)
    count = len(recorded.draws["latents0"])
    samples = [engine.admit(_order(folder, case, recorded.draws, n)) for n in range(count)]
    while left := [sample for sample in samples if sample.step < sample.steps]:
        engine.step(left)
    return _worst(engine, samples, recorded)


def _recorded(path: Path, eta: float) -> Recorded:
    """Reads `case.npz`; at eta 0 without `step_noise`, whatever the file contains."""
    names = [*DRAWS, *(["step_noise"] if eta else [])]
    with np.load(path) as file:
        draws = {name: file[name] for name in names}
        return Recorded(draws, file["final_latents"], file["images"])


def _engine(
    folder: Path, case: Case, device: torch.device, switches: Switches | None
) -> CatvtonEngine:
    models = folder / case["models"]
    model = assemble(
        Kind(case["kind"]), base=models, vae=models / "vae", device=device, switches=switches
    )
    size = Size(case["width"], case["height"])
    return CatvtonEngine(model, sizes=[size], eta=case.get("eta", ETA), reads_photos=False)


def _order(folder: Path, case: Case, draws: Mapping[str, Floats], n: int) -> Order:
    mask = folder / f"mask_{n}.png"
    return Order(
        id=str(n),
        photo=_pixels(folder / f"person_{n}.png", "RGB"),
        garment=_pixels(folder / f"garment_{n}.png", "RGB"),
        category=Category.UPPER,
        noise=RecordedNoise(draws, n),
        mask=_pixels(mask, "L") if mask.exists() else None,
        options=Options(
            num_inference_steps=_of(case["num_inference_steps"], n),
            guidance_scale=_of(case["guidance_scale"], n),
        ),
    )


def _of(value: T | list[T], n: int) -> T:
    return value[n] if isinstance(value, list) else value


def _pixels(path: Path, mode: str) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert(mode))


def _worst(engine: CatvtonEngine, samples: list[CatvtonSample], recorded: Recorded) -> Errors:
    latents = [
        _relative(sample.latents.cpu().numpy(), recorded.final_latents[n])
        for n, sample in enumerate(samples)
    ]
    pictures = [
        int(np.abs(engine.draw(sample).astype(int) - recorded.images[n]).max())
        for n, sample in enumerate(samples)
    ]
    return Errors(float(np.max(latents)), max(pictures))  # np.max, because it keeps a NaN


def _relative(ours: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(ours - reference) / np.linalg.norm(reference))
