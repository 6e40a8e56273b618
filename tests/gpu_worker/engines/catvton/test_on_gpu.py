"""What only a GPU can show. Skipped without one, and so far never run: see docs/performance.md."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.model import assemble
from gpu_worker.engines.catvton.parity import run_case
from gpu_worker.engines.catvton.safety import SafetyChecker
from gpu_worker.engines.catvton.switches import Switches
from gpu_worker.weights.sources import SOURCES, Kind
from tests.gpu_worker.engines.catvton.drawing import CPU, SIZE, drawn, error, order, run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
GPU = torch.device("cuda", 0)
WISHES = [(1, 4, 2.5), (2, 3, 1.0), (3, 2, 3.5)]


@pytest.fixture(autouse=True)
def exact() -> None:
    torch.backends.cudnn.allow_tf32 = False


def engine_on_gpu(weights: Path, *words: str, dtype: torch.dtype = torch.float32) -> CatvtonEngine:
    sources = SOURCES[Kind.MASKFREE]
    model = assemble(
        Kind.MASKFREE,
        base=weights / sources.base.repository,
        vae=weights / sources.vae.repository,
        device=GPU,
        dtype=dtype,
        switches=Switches.of(words),
    )
    return CatvtonEngine(model, sizes=[SIZE], max_slots=4)


@pytest.mark.parametrize("case", ["maskfree_10_steps", "inpaint_10_steps"])
def test_meets_the_golden_case(golden: Path, case: str) -> None:
    assert run_case(golden / case, GPU).within_limits


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("graphs",), ("compiled",), ("compiled", "graphs"), ("fused_qkv", "channels_last")]
)
def test_a_switch_changes_nothing(tiny_weights: Path, words: tuple[str, ...]) -> None:
    """Also when other batch sizes were recorded in between."""
    plain = drawn(engine_on_gpu(tiny_weights), *(order(*wish) for wish in WISHES))
    switched = engine_on_gpu(tiny_weights, *words)
    switched.warm_up()
    for _ in range(2):
        together = drawn(switched, *(order(*wish) for wish in WISHES))
        alone = [drawn(switched, order(*wish))[0] for wish in WISHES]
        for ours, lone, theirs in zip(together, alone, plain, strict=True):
            assert error(ours, theirs) <= 1e-5
            assert error(lone, theirs) <= 1e-5


@pytest.mark.parametrize("words", [(), ("graphs",)])
def test_the_vae_beside_the_steps_changes_nothing(
    tiny_weights: Path, words: tuple[str, ...]
) -> None:
    """Photos are read and pictures decoded in another thread while steps run."""
    engine = engine_on_gpu(tiny_weights, *words)
    engine.warm_up()
    expected = [engine.admit(order(seed, 3)) for seed in range(8)]
    run(engine, expected[:4])
    run(engine, expected[4:])
    pictures = [engine.finish(sample).pixels for sample in expected]
    other = engine.admit(order(99, 999))
    with ThreadPoolExecutor(1) as thread:
        coming = [thread.submit(engine.admit, order(seed, 3)) for seed in range(8)]
        while not coming[-1].done() and other.step < other.steps:
            engine.step([other])
        samples = [done.result() for done in coming]
        run(engine, samples[:4])
        run(engine, samples[4:])
        leaving = [thread.submit(engine.finish, sample) for sample in samples]
        while not leaving[-1].done() and other.step < other.steps:
            engine.step([other])
        for done, picture in zip(leaving, pictures, strict=True):
            assert np.abs(done.result().pixels.astype(int) - picture).max() <= 1


@pytest.mark.parametrize("words", [(), ("graphs",)])
def test_what_overflows_in_float16_goes_on_in_bfloat16(
    tiny_weights: Path, words: tuple[str, ...]
) -> None:
    engine = engine_on_gpu(tiny_weights, *words, dtype=torch.float16)
    engine.warm_up()
    sample = engine.admit(order(1, 3))
    engine.step([sample])
    with torch.no_grad():
        engine._model.unet.conv_out.weight.mul_(60_000)
    run(engine, [sample])
    assert engine._model.dtype == torch.bfloat16
    assert torch.isfinite(sample.latents).all()


def test_the_checker_looks_on_the_gpu(tiny_weights: Path) -> None:
    base = tiny_weights / SOURCES[Kind.MASKFREE].base.repository
    picture = np.random.default_rng(3).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    answers = [SafetyChecker(base, device).is_safe(picture) for device in (GPU, CPU)]
    assert answers[0] is answers[1]


def test_float16_is_near(tiny_weights: Path) -> None:
    exact, half = (
        drawn(engine_on_gpu(tiny_weights, dtype=dtype), order(1, 4))[0]
        for dtype in (torch.float32, torch.float16)
    )
    assert error(half, exact) < 1e-2


def test_it_says_which_gpu(tiny_weights: Path) -> None:
    assert engine_on_gpu(tiny_weights).device == torch.cuda.get_device_name(0)
