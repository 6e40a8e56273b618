"""The engine's promises to the worker: rungs, sizes, partial pictures, faults, and no growth."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from gpu_worker.contract import LADDER, Options, Reason, Tier
from gpu_worker.engine import DeviceLostError, OutOfMemoryError, Pixels, Refusal, SeededNoise
from gpu_worker.engines.catvton.device import fault_of
from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.garments import GarmentCache
from gpu_worker.vision import pose
from gpu_worker.weights.sources import SOURCES, Kind
from tests.gpu_worker.engines.catvton.drawing import (
    RUNG,
    SIZE,
    SMALL,
    SMALL_RUNG,
    drawn,
    engine_of,
    order,
    run,
    tiny_model,
)

DEMO = Path(__file__).parents[4] / "embed" / "demo" / "static"


@pytest.fixture
def engine(tiny_weights: Path) -> CatvtonEngine:
    return engine_of(tiny_model(tiny_weights), max_slots=2)


@pytest.fixture(scope="module")
def anna() -> Pixels:
    with Image.open(DEMO / "person_anna.jpg") as picture:
        return np.asarray(picture.convert("RGB").resize((480, 640)))


def test_it_says_what_it_is(engine: CatvtonEngine) -> None:
    assert (engine.name, engine.device, engine.is_preview) == ("catvton-maskfree", "cpu", False)
    assert engine.licence == SOURCES[Kind.MASKFREE].attention.licence
    assert "not for commercial use" in engine.licence


# --- rungs and sizes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tier", "asked", "steps", "size", "name"),
    [
        (None, None, 50, SIZE, "full"),
        (None, 7, 7, SIZE, "64x96"),
        (RUNG, None, 4, SIZE, "full"),
        (RUNG, 50, 4, SIZE, "full"),
        (RUNG, 2, 2, SIZE, "full"),
        (SMALL_RUNG, None, 3, SMALL, "small"),
        (LADDER[0], None, 50, SIZE, "64x96"),
        (Tier("least", 5, 16, 16), None, 5, SMALL, "32x48"),
    ],
)
def test_a_rung_sets_steps_and_size(
    engine: CatvtonEngine, tier: Tier | None, asked: int | None, steps: int, size: Any, name: str
) -> None:
    """Where a rung's size is none of the engine's, it draws at the nearest and says which."""
    sample = engine.admit(order(1, asked, tier=tier))
    assert (sample.steps, sample.size, sample.tier) == (steps, size, name)


def test_a_small_picture_has_the_photos_size(engine: CatvtonEngine) -> None:
    wish = order(1, None, tier=SMALL_RUNG)
    sample = engine.admit(wish)
    run(engine, [sample])
    picture = engine.finish(sample)
    assert picture.pixels.shape == wish.photo.shape
    assert picture.tier == "small"


def test_one_forward_pass_is_of_one_size(engine: CatvtonEngine) -> None:
    samples = [engine.admit(order(1, tier=tier)) for tier in (RUNG, SMALL_RUNG)]
    with pytest.raises(ValueError, match="32x48, 64x96"):
        engine.step(samples)
    assert [sample.step for sample in samples] == [0, 0]


@pytest.mark.parametrize("steps", [0, 1000])
def test_no_schedule_has_such_steps(engine: CatvtonEngine, steps: int) -> None:
    with pytest.raises(ValueError, match="steps must be 1 to 999"):
        engine.admit(order(1, steps))


# --- partial pictures -----------------------------------------------------------------------------


def test_a_rough_picture_is_small_and_in_the_photos_framing(engine: CatvtonEngine) -> None:
    engine.warm_up()
    sample = engine.admit(order(1, 3, mask=None))
    assert engine.partial(sample) is None
    engine.step([sample])
    before = sample.latents.clone()
    partial = engine.partial(sample)
    assert partial is not None
    assert partial.shape[0] < sample.order.photo.shape[0]
    assert abs(partial.shape[1] / partial.shape[0] - 100 / 144) < 0.05
    assert len(np.unique(partial)) > 10
    assert sample.step == 1
    assert torch.equal(sample.latents, before)


def test_a_partial_picture_changes_no_picture(engine: CatvtonEngine) -> None:
    engine.warm_up()
    alone = drawn(engine, order(2, 3))[0]
    sample = engine.admit(order(2, 3))
    while sample.step < sample.steps:
        engine.step([sample])
        engine.partial(sample)
    assert torch.equal(sample.latents, alone)


class Never:
    def is_safe(self, picture: Pixels) -> bool:
        return False


def test_what_may_not_be_shown_is_no_partial_picture(tiny_weights: Path) -> None:
    engine = engine_of(tiny_model(tiny_weights), checker=Never())
    engine.warm_up()
    sample = engine.admit(order(1, 3))
    engine.step([sample])
    assert engine.partial(sample) is None


# --- faults -------------------------------------------------------------------------------------


def _fails_after(passes: int, error: Exception) -> Callable[..., None]:
    left = [passes]

    def hook(*_: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise error

    return hook


FAULTS = [
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), OutOfMemoryError),
    (MemoryError(), OutOfMemoryError),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemoryError),
    (RuntimeError("CUDA error: device-side assert triggered"), DeviceLostError),
    (torch.AcceleratorError("CUDA error: an illegal memory access", 700), DeviceLostError),
    (torch.AcceleratorError("CUDA error: out of memory", 2), OutOfMemoryError),
]


@pytest.mark.parametrize(("raised", "told"), FAULTS)
def test_torchs_faults_are_told_in_the_engines_words(
    engine: CatvtonEngine, raised: Exception, told: type[Exception]
) -> None:
    samples = [engine.admit(order(seed)) for seed in (1, 2)]
    handle = engine._model.denoiser.register_forward_pre_hook(_fails_after(0, raised))
    with pytest.raises(told):
        engine.step(samples)
    handle.remove()
    assert [sample.step for sample in samples] == [0, 0]


def test_what_did_not_fit_is_let_go(engine: CatvtonEngine) -> None:
    """Or the half that is tried next would find no room either."""
    held: list[weakref.ref[torch.Tensor]] = []

    def hook(*_: Any) -> None:
        large = torch.zeros(1000)
        held.append(weakref.ref(large))
        raise torch.OutOfMemoryError("CUDA out of memory")

    engine._model.denoiser.register_forward_pre_hook(hook)
    with pytest.raises(OutOfMemoryError) as caught:
        engine.step([engine.admit(order(1))])
    assert caught.value.__cause__ is not None
    assert held[0]() is None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("CUDA driver error: out of memory", OutOfMemoryError),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", OutOfMemoryError),
        ("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", OutOfMemoryError),
        ("Triton Error [CUDA]: out of memory", OutOfMemoryError),
        ("CUDA driver error: an illegal memory access was encountered", DeviceLostError),
        ("Triton Error [CUDA]: unspecified launch failure", DeviceLostError),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", DeviceLostError),
    ],
)
def test_libraries_have_their_own_words(said: str, told: type[Exception]) -> None:
    assert isinstance(fault_of(RuntimeError(said)), told)


def test_another_error_is_left_as_it_is() -> None:
    assert fault_of(RuntimeError("shapes cannot be multiplied")) is None


def test_samples_are_whole_after_out_of_memory(engine: CatvtonEngine) -> None:
    """Run again in halves, they become what they would have been."""
    expected = drawn(engine, order(1, 3), order(2, 3))
    samples = [engine.admit(order(seed, 3)) for seed in (1, 2)]
    engine.step(samples)
    error = torch.OutOfMemoryError("CUDA out of memory")
    late = engine._model.unet.register_forward_hook(_fails_after(0, error))
    with pytest.raises(OutOfMemoryError):
        engine.step(samples)
    late.remove()
    assert [sample.step for sample in samples] == [1, 1]
    for sample in samples:
        run(engine, [sample])
    for sample, latents in zip(samples, expected, strict=True):
        assert torch.linalg.norm(sample.latents - latents) <= 1e-5 * torch.linalg.norm(latents)


def test_out_of_memory_after_the_noise_was_drawn_draws_no_other(
    engine: CatvtonEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = drawn(engine, order(1, 3))[0]
    sample = engine.admit(order(1, 3))
    with monkeypatch.context() as broken:
        broken.setattr(engine, "_is_finite", _fails_after(0, torch.OutOfMemoryError("out of it")))
        with pytest.raises(OutOfMemoryError):
            engine.step([sample])
    run(engine, [sample])
    assert torch.equal(sample.latents, expected)


def test_warming_up_offers_what_fits(tiny_weights: Path) -> None:
    """A device that holds three samples is offered with two slots."""
    model = tiny_model(tiny_weights)
    engine = engine_of(model, max_slots=8)

    def hold_six_rows(_: Any, given: Any) -> None:
        if len(given[0]) > 6:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model.denoiser.register_forward_pre_hook(hold_six_rows)
    engine.warm_up()
    assert engine.max_slots == 2


def test_a_device_that_holds_nothing_is_no_device(tiny_weights: Path) -> None:
    model = tiny_model(tiny_weights)
    error = torch.OutOfMemoryError("CUDA out of memory")
    model.denoiser.register_forward_pre_hook(_fails_after(0, error))
    with pytest.raises(OutOfMemoryError):
        engine_of(model, max_slots=4).warm_up()


def test_every_size_is_warm_before_it_is_ready(tiny_weights: Path) -> None:
    model = tiny_model(tiny_weights)
    seen: set[tuple[int, ...]] = set()
    model.denoiser.register_forward_pre_hook(lambda _, given: seen.add(tuple(given[0].shape)))
    engine_of(model, max_slots=4).warm_up()
    assert seen == {(2 * b, 8, *hw) for b in (1, 2, 4) for hw in ((12, 16), (6, 8))}


# --- masks --------------------------------------------------------------------------------------


def test_inpainting_finds_its_mask_in_the_tailors_parts(tiny_weights: Path, anna: Pixels) -> None:
    engine = engine_of(tiny_model(tiny_weights, Kind.INPAINT))
    parts = pose.read_photo(anna)
    told, read = (
        engine.admit(order(1, photo=anna, mask=None, photo_parts=known)) for known in (parts, {})
    )
    assert told.paste is not None
    assert read.paste is not None
    assert np.array_equal(told.paste, read.paste)
    assert torch.equal(told.conditions, read.conditions)
    assert 0.1 < (told.paste > 0).mean() < 0.6


def test_inpainting_refuses_where_neither_mask_nor_person_is_to_be_had(tiny_weights: Path) -> None:
    engine = engine_of(tiny_model(tiny_weights, Kind.INPAINT))
    with pytest.raises(Refusal) as refused:
        engine.admit(order(1, mask=None, photo=np.full((144, 100, 3), 200, dtype=np.uint8)))
    assert refused.value.reason is Reason.NOBODY_FOUND


def test_without_a_mask_only_what_is_worn_may_change(tiny_weights: Path, anna: Pixels) -> None:
    """The mask-free pipeline pastes back through the agnostic mask where the tailor has read."""
    engine = engine_of(tiny_model(tiny_weights))
    sample = engine.admit(order(1, photo=anna, mask=None, photo_parts=pose.read_photo(anna)))
    run(engine, [sample])
    picture = engine.finish(sample).pixels
    assert sample.paste is not None
    assert np.array_equal(picture[sample.paste == 0], anna[sample.paste == 0])
    assert not np.array_equal(picture, anna)


def test_a_photo_that_nobody_read_is_read_here(tiny_weights: Path, anna: Pixels) -> None:
    """Off the middle, where a centred crop would show her back half."""
    wide = np.full((anna.shape[0], 3 * anna.shape[1], 3), anna[0, 0], dtype=np.uint8)
    wide[:, 2 * anna.shape[1] :] = anna
    engine = engine_of(tiny_model(tiny_weights))
    sample = engine.admit(order(1, photo=wide, mask=None))
    assert sample.paste is not None
    assert sample.window.left > anna.shape[1]
    plain = engine_of(tiny_model(tiny_weights), reads_photos=False)
    assert plain.admit(order(1, photo=wide, mask=None)).window.left < 1.5 * anna.shape[1]


def test_where_nobody_is_to_be_read_the_whole_window_is_pasted(engine: CatvtonEngine) -> None:
    sample = engine.admit(order(1, mask=None))
    assert sample.paste is None
    run(engine, [sample])
    picture = engine.finish(sample).pixels
    assert picture.shape == sample.order.photo.shape


def test_a_mask_of_another_size_is_fitted_to_the_photo(engine: CatvtonEngine) -> None:
    mask = np.zeros((288, 200), dtype=np.uint8)
    mask[100:200, 50:150] = 255
    sample = engine.admit(order(1, mask=mask))
    assert sample.paste is not None
    assert sample.paste.shape == (144, 100)
    assert sample.paste[75, 50] == 255
    assert sample.paste[10, 10] == 0


# --- growth -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_fifty_jobs_do_not_grow(tiny_weights: Path) -> None:
    """Each with a photo and a garment of its own, so that a cache that forgets nothing shows."""
    garments = GarmentCache(size=8)
    engine = engine_of(tiny_model(tiny_weights), garments=garments, sizes=[SMALL])
    engine.warm_up()
    process = psutil.Process(os.getpid())

    def serve(first: int, last: int) -> int:
        for seed in range(first, last, 2):
            wishes = [_large(seed), _large(seed + 1)]
            samples = [engine.admit(wish) for wish in wishes]
            run(engine, samples)
            for sample in samples:
                engine.finish(sample)
        gc.collect()
        return int(process.memory_info().rss)

    after_10 = serve(0, 10)
    after_50 = serve(10, 50)
    assert len(garments) == 8
    # One job's photo and picture are 5.5 MiB: 40 jobs kept would be 220 MiB.
    assert after_50 - after_10 < 40 << 20


def _large(seed: int) -> Any:
    dice = np.random.default_rng(seed)
    photo = dice.integers(0, 256, (800, 1200, 3), dtype=np.uint8)
    garment = dice.integers(0, 256, (300, 300, 3), dtype=np.uint8)
    return replace(
        order(seed, 1, mask=None),
        photo=photo,
        garment=garment,
        noise=SeededNoise(seed),
        options=Options(num_inference_steps=1),
    )
