"""No option is accepted and ignored: what an engine says it honours changes what it draws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpu_worker.contract import HONOURED, OPTION_NAMES, Category, Options, TryOnJob, not_honoured
from gpu_worker.engine import Order, Pixels, SeededNoise
from gpu_worker.engines.null import NullEngine
from gpu_worker.engines.preview import PreviewEngine

DEMO = Path(__file__).parents[3] / "embed" / "demo" / "static"


def picture(name: str) -> Pixels:
    with Image.open(DEMO / f"{name}.jpg") as image:
        return np.asarray(image.convert("RGB"))


def order(options: Options) -> Order:
    return Order(
        id="try_1", photo=picture("person_anna"), garment=picture("garment_tee_geo"),
        category=Category.UPPER, noise=SeededNoise(1), options=options,
    )  # fmt: skip


class Unread(Options):
    """Options that fail whoever looks at them."""

    def __getattribute__(self, name: str) -> object:
        if name in OPTION_NAMES:
            raise AssertionError(f"{name} is read: the engine must say that it honours it")
        return super().__getattribute__(name)


def test_the_null_engine_takes_the_steps_it_is_asked_for() -> None:
    engine = NullEngine(0, 0, 4)
    asked = engine.admit(order(Options(num_inference_steps=9)))
    assert (asked.steps, engine.admit(order(Options())).steps) == (9, 4)
    assert engine.honours == HONOURED["null"] == {"num_inference_steps"}


def test_the_preview_reads_no_option() -> None:
    engine = PreviewEngine()
    engine.warm_up()
    sample = engine.admit(replace(order(Options()), options=Unread()))
    while sample.step < sample.steps:
        engine.step([sample])
    assert engine.finish(sample).pixels.shape == sample.order.photo.shape
    assert engine.honours == HONOURED["preview"] == frozenset()


@pytest.mark.parametrize("engine", sorted(HONOURED))
def test_what_is_asked_and_would_be_ignored_is_named(engine: str) -> None:
    everything = Options(
        num_inference_steps=20, guidance_scale=2.0, keep_head=False, redraw_hands=False,
        loose_mask=False, upscale=2,
    )  # fmt: skip
    assert set(not_honoured(engine, everything)) == OPTION_NAMES - HONOURED[engine]
    assert not_honoured(engine, Options(keep_head=True, upscale=1)) == []


def test_an_engine_that_nobody_knows_honours_nothing() -> None:
    assert not_honoured("another", Options(guidance_scale=3)) == ["guidance_scale"]


def test_a_job_carries_them_and_one_of_the_release_before_is_understood() -> None:
    options = Options(num_inference_steps=20, keep_head=False)
    job = TryOnJob(
        merchant_id="mer_1", site_id="sit_1", accepted_at_ms=0, try_on_id="try_1", engine="null",
        category=Category.UPPER, photo_key="p", garment_key="g", result_key="r", options=options,
    )  # fmt: skip
    assert TryOnJob.from_json(job.to_json()) == job
    flat = job.to_json().replace(
        '"options": {"num_inference_steps": 20, "guidance_scale": null, "keep_head": false, '
        '"redraw_hands": true, "loose_mask": true, "upscale": 1}',
        '"num_inference_steps": 20, "keep_head": false, "upscale": 1',
    )
    assert "options" not in flat
    assert TryOnJob.from_json(flat) == job
