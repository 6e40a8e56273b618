"""The engine draws what the reference drew, alone and in any company."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gpu_worker.__main__ import main
from gpu_worker.contract import Category, Options
from gpu_worker.engine import Order, SeededNoise
from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.garments import GarmentCache
from gpu_worker.engines.catvton.model import assemble
from gpu_worker.engines.catvton.parity import run_case
from gpu_worker.engines.catvton.sample import CatvtonSample, Size
from gpu_worker.weights.sources import Kind
from tests.gpu_worker.engines.catvton.conftest import BESIDE
from tests.gpu_worker.engines.catvton.reference import Case, write_case

CASES = ("maskfree_10_steps", "inpaint_10_steps")
SIZE = Size(64, 96)


@pytest.mark.parametrize("case", CASES)
def test_meets_the_golden_case(golden: Path, case: str) -> None:
    errors = run_case(golden / case)
    assert errors.latents <= 2e-5
    assert errors.picture <= 1


@pytest.mark.parametrize("case", CASES)
def test_meets_what_the_reference_itself_recorded(case: str) -> None:
    """Its pictures are not ours to keep; ours are held against them where they lie."""
    folder = BESIDE / case
    if not folder.is_dir():
        pytest.skip("the reference's own recording does not lie beside the repository")
    assert run_case(folder).within_limits


def test_the_command_says_so(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parity", str(golden / CASES[0])]) == 0
    assert "relative" in capsys.readouterr().out


OTHERS = [
    Case("maskfree", n=3, num_inference_steps=7),
    Case("maskfree", num_inference_steps=12, eta=0.0, photo=(200, 120)),
    Case("maskfree", n=2, guidance_scale=1.0, num_inference_steps=6),
    Case("maskfree", guidance_scale=0.0, eta=0.4, garment=(60, 170)),
    Case("maskfree", guidance_scale=7.5, num_inference_steps=10, width=96, height=64),
    Case("inpaint", n=2, num_inference_steps=5, photo=(151, 97)),
    Case("inpaint", guidance_scale=1.0, eta=0.0, num_inference_steps=9),
    Case("inpaint", n=2, guidance_scale=3.5, num_inference_steps=3, width=72, height=88),
    Case("inpaint", num_inference_steps=50, mask_blur=9.0),
]


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: f"{case.kind}-{case.num_inference_steps}")
def test_meets_a_plain_computation(golden: Path, tmp_path: Path, case: Case) -> None:
    """Batches, no guidance, no noise, other sizes, photos and garments of any shape."""
    errors = run_case(write_case(tmp_path / "case", golden / case.kind, case))
    assert errors.latents <= 2e-5
    assert errors.picture <= 1


@pytest.mark.parametrize("word", ["fused_qkv", "channels_last"])
def test_a_switch_keeps_the_golden_case(golden: Path, word: str) -> None:
    assert main(["parity", str(golden / CASES[1]), "--switches", word]) == 0


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["nowhere"], "case.json"),
        ([CASES[0], "--switches", "warp"], "no switch is called 'warp'"),
        ([CASES[0], "--device", "cuda:99"], "cuda:99 was asked for"),
    ],
)
def test_what_cannot_be_run_ends_with_a_line(
    golden: Path, capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    assert main(["parity", str(golden / more[0]), *more[1:]]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("parity: ")
    assert says in told


@pytest.mark.parametrize("change", [{"guidance_scale": 2.6}, {"eta": 0.9}])
def test_a_wrong_sampler_is_noticed(golden: Path, tmp_path: Path, change: dict[str, float]) -> None:
    folder = tmp_path / CASES[0]
    shutil.copytree(golden / CASES[0], folder)
    case = json.loads((folder / "case.json").read_text())
    case["models"] = str(golden / "maskfree")
    (folder / "case.json").chmod(0o644)
    folder.chmod(0o755)
    (folder / "case.json").write_text(json.dumps({**case, **change}))
    assert not run_case(folder).within_limits
    assert main(["parity", str(folder)]) == 1


@pytest.fixture(scope="module", params=list(Kind))
def engine(request: pytest.FixtureRequest, golden: Path) -> CatvtonEngine:
    folder = golden / request.param.value
    model = assemble(request.param, base=folder, vae=folder / "vae", device=torch.device("cpu"))
    return CatvtonEngine(model, sizes=[SIZE], garments=GarmentCache())


def order(seed: int, steps: int, guidance_scale: float) -> Order:
    pixels = np.random.default_rng(seed).integers(0, 256, (144, 100, 3), dtype=np.uint8)
    garment = np.random.default_rng(seed + 1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    mask = np.zeros((144, 100), dtype=np.uint8)
    mask[40:120, 20:80] = 255
    return Order(
        id=str(seed),
        photo=pixels,
        garment=garment,
        category=Category.UPPER,
        noise=SeededNoise(seed),
        mask=mask,
        seed=seed,
        options=Options(num_inference_steps=steps, guidance_scale=guidance_scale),
    )


WISHES = [(1, 4, 2.5), (2, 7, 1.0), (3, 5, 3.5), (4, 3, 0.0), (5, 6, 2.5)]


def run(engine: CatvtonEngine, samples: list[CatvtonSample]) -> None:
    while any(sample.step < sample.steps for sample in samples):
        engine.step([sample for sample in samples if sample.step < sample.steps])


def test_batch_mates_joining_leaving_and_pausing_change_nothing(engine: CatvtonEngine) -> None:
    alone = [engine.admit(order(*wish)) for wish in WISHES]
    for sample in alone:
        run(engine, [sample])
    mixed = [engine.admit(order(*wish)) for wish in WISHES]
    dice = random.Random(7)
    while open_ones := [sample for sample in mixed if sample.step < sample.steps]:
        engine.step(dice.sample(open_ones, dice.randint(1, len(open_ones))))
    for one, other in zip(alone, mixed, strict=True):
        error = torch.linalg.norm(one.latents - other.latents) / torch.linalg.norm(one.latents)
        assert error <= 1e-5
        assert np.abs(engine.draw(one).astype(int) - engine.draw(other)).max() <= 1


def test_the_seed_alone_decides_the_picture(engine: CatvtonEngine) -> None:
    pictures = []
    for seed in (11, 11, 12):
        wish = order(3, 3, 2.5)
        sample = engine.admit(replace(wish, noise=SeededNoise(seed), seed=seed))
        run(engine, [sample])
        pictures.append(engine.finish(sample).pixels)
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_the_picture_has_the_photos_size_and_framing(engine: CatvtonEngine) -> None:
    wish = order(*WISHES[0])
    sample = engine.admit(wish)
    run(engine, [sample])
    picture = engine.finish(sample).pixels
    assert picture.shape == wish.photo.shape
    assert wish.mask is not None
    assert np.array_equal(picture[wish.mask == 0], wish.photo[wish.mask == 0])


def test_a_cached_garment_is_the_same_bits(engine: CatvtonEngine) -> None:
    first, second = (engine.admit(order(*WISHES[0])) for _ in range(2))
    assert torch.equal(first.conditions, second.conditions)
