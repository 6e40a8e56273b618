"""Each option that CatVTON honours changes what it is about to draw, with either pipeline."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gpu_worker.contract import HONOURED, OPTION_NAMES, Options
from gpu_worker.engine import Pixels
from gpu_worker.engines.catvton.sample import CatvtonSample
from gpu_worker.weights.sources import Kind
from tests.gpu_worker.engines.catvton.drawing import engine_of, order, tiny_model

DEMO = Path(__file__).parents[4] / "embed" / "demo" / "static"
CHANGES: list[dict[str, Any]] = [
    {"num_inference_steps": 3}, {"guidance_scale": 1.0}, {"keep_head": False},
    {"redraw_hands": False}, {"loose_mask": False},
]  # fmt: skip


@cache
def photo() -> Pixels:
    with Image.open(DEMO / "person_priya.jpg") as picture:
        return np.asarray(picture.convert("RGB"))


def planned(sample: CatvtonSample) -> tuple[Any, ...]:
    """What decides the picture beside noise and garment."""
    mask = sample.paste.tobytes() if sample.paste is not None else b""
    return sample.steps, sample.guidance_scale, sample.conditions.shape[0], mask


@pytest.mark.parametrize("kind", Kind)
def test_each_option_changes_the_plan(tiny_weights: Path, kind: Kind) -> None:
    engine = engine_of(tiny_model(tiny_weights, kind))
    assert engine.honours == HONOURED[engine.name] == {name for c in CHANGES for name in c}

    def plan(**asked: Any) -> tuple[Any, ...]:
        options = Options(**asked)
        return planned(engine.admit(order(photo=photo(), mask=None, options=options)))

    default = plan()
    assert plan() == default
    for change in CHANGES:
        assert plan(**change) != default, change
    for ignored in OPTION_NAMES - engine.honours:
        assert plan(**{ignored: 2}) == default, ignored
