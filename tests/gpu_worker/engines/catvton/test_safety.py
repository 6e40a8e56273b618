"""What may not be shown is drawn once more with another seed, and then refused with a code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gpu_worker.contract import Category, Options, Reason
from gpu_worker.engine import Order, Pixels, Refusal, SeededNoise
from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.safety import SafetyChecker
from gpu_worker.engines.catvton.sample import Size
from gpu_worker.engines.catvton.weights import load
from gpu_worker.weights.disk import Lock, WeightFiles
from gpu_worker.weights.sources import SOURCES, Kind


class Stern:
    """Flags the first pictures it is shown."""

    def __init__(self, flags: int):
        self._left = flags
        self.seen: list[Pixels] = []

    def is_safe(self, picture: Pixels) -> bool:
        self.seen.append(picture)
        self._left -= 1
        return self._left < 0


def engine(weights: Path, checker: Stern) -> CatvtonEngine:
    weight_files = WeightFiles(Lock(weights / "lock.json"), weights)
    model = load(Kind.MASKFREE, weight_files, torch.device("cpu"), torch.float32)
    return CatvtonEngine(model, sizes=[Size(64, 64)], checker=checker)


def finish(engine: CatvtonEngine) -> Pixels:
    order = Order(
        id="try_1",
        photo=np.full((64, 64, 3), 90, dtype=np.uint8),
        garment=np.full((64, 64, 3), 200, dtype=np.uint8),
        category=Category.UPPER,
        noise=SeededNoise(5),
        seed=5,
        options=Options(num_inference_steps=2),
    )
    sample = engine.admit(order)
    while sample.step < sample.steps:
        engine.step([sample])
    return engine.finish(sample).pixels


def test_a_safe_picture_is_shown(tiny_weights: Path) -> None:
    checker = Stern(flags=0)
    picture = finish(engine(tiny_weights, checker))
    assert len(checker.seen) == 1
    assert np.array_equal(picture, checker.seen[0])


def test_a_flagged_picture_is_drawn_again_with_another_seed(tiny_weights: Path) -> None:
    checker = Stern(flags=1)
    picture = finish(engine(tiny_weights, checker))
    assert len(checker.seen) == 2
    assert not np.array_equal(checker.seen[0], checker.seen[1])
    assert np.array_equal(picture, checker.seen[1])


def test_flagged_twice_is_refused(tiny_weights: Path) -> None:
    with pytest.raises(Refusal) as refused:
        finish(engine(tiny_weights, Stern(flags=2)))
    assert refused.value.reason is Reason.PICTURE_WITHHELD


@pytest.mark.parametrize("threshold", [-2.0, 2.0])
def test_the_real_checker_decides_and_changes_nothing(tiny_weights: Path, threshold: float) -> None:
    """The base's own class on small weights: cosine above a concept's threshold flags."""
    base = tiny_weights / SOURCES[Kind.MASKFREE].base.repository
    checker = SafetyChecker(base, torch.device("cpu"))
    checker._checker.concept_embeds_weights.data.fill_(threshold)
    picture = np.random.default_rng(3).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    before = picture.copy()
    assert checker.is_safe(picture) is (threshold > 1)
    assert np.array_equal(picture, before)
