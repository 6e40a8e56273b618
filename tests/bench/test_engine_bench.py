"""`make bench-engine` runs where there is no GPU; its figures are not looked at here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("torch", reason="torch is missing: see gpu_worker/requirements.txt")

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from bench.engine.__main__ import main
from bench.engine.likeness import psnr, ssim
from bench.engine.measure import covered, idle_share
from bench.engine.subjects import Subject, order
from bench.engine.switches import main as switches
from bench.engine.tiers import main as tiers
from gpu_worker.engines.catvton.engine import CatvtonEngine

SMALLEST = ["--batches", "1,2", "--steps", "2", "--repeats", "1", "--threads", "1"]


def test_one_table_of_steps_and_try_ons_beside_diffusers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*SMALLEST, "--json", str(tmp_path / "bench" / "curve.json")])
    table = json.loads((tmp_path / "bench" / "curve.json").read_text())
    for size in ("96x128", "48x64"):
        row = table["steps_ms"]["eager"][size]
        assert set(row["t"]) == set(row["peak_mib"]) == {"1", "2"}
        assert min(row["t"].values()) > 0
        told = table["try_ons"]["eager"][size]["2"]
        assert told["s"] > 0
        assert told["per_s_in_turn"] > 0
        assert told["per_s_beside"] > 0
        assert told["idle"] is None, "a CPU does not idle while it computes"
        assert table["rival"][size]["2"] > 0
    assert (table["weights"], table["device"]) == ("random", "cpu")
    shown = capsys.readouterr().out
    assert "thin, for showing that it runs" in shown
    assert shown.count("diffusers ") == 2


def test_the_real_size_goes_through_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without values: torch's fake tensors have a shape, a number format and a device. 815.57 M
    parameters is what is left of Stable Diffusion 1.5's U-Net without its cross-attention."""
    far = torch.device("meta")
    subject = Subject(True, far, torch.float16)
    model = subject.model(("fused_qkv", "channels_last"))
    engine = CatvtonEngine(model, sizes=subject.sizes, reads_photos=False)
    monkeypatch.setattr(engine, "_is_finite", lambda _moved: True)
    assert sum(p.numel() for p in model.unet.parameters()) == 815_572_804
    with FakeTensorMode(allow_non_fake_inputs=True), torch.inference_mode():
        for size in subject.sizes:
            samples = [engine.admit(order(seed, size, 50)) for seed in (1, 2)]
            engine.step(samples)
            assert samples[0].latents.shape == (4, size.height // 4, size.width // 8)
            picture = model.decode(model.layout.person_half(samples[0].latents))
            assert picture.shape == (3, size.height, size.width)


def test_graphs_say_that_they_need_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    main([*SMALLEST, "--device", "cpu", "--modes", "graph", "--without-rival"])
    assert "graph: needs a GPU" in capsys.readouterr().out


def test_tiers_say_what_they_were_measured_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.engine.tiers.SEEDS", 2)
    tiers(["--most-steps", "5", "--json", str(tmp_path / "tiers.json")])
    rows = json.loads((tmp_path / "tiers.json").read_text())
    assert [row["rung"] for row in rows] == [
        "3 steps",
        "2 steps",
        "2 steps, small",
        "5 steps, new seed",
    ]
    assert "without the real weights" in capsys.readouterr().out


def test_likeness_knows_the_same_and_the_worse() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    near = np.clip(picture.astype(int) + 4, 0, 255).astype(np.uint8)
    far = 255 - picture
    assert ssim(picture, picture, 255) == pytest.approx(1)
    assert psnr(picture, picture, 255) == float("inf")
    assert ssim(near, picture, 255) > 0.99
    assert ssim(far, picture, 255) < 0
    assert psnr(near, picture, 255) == pytest.approx(36.1, abs=0.3)


def test_spans_that_overlap_count_once() -> None:
    assert covered([(0, 2), (1, 3), (1, 2), (5, 6)]) == 4
    assert covered([]) == 0
    assert idle_share(torch.device("cpu"), lambda: None) is None


def test_each_switch_is_measured_against_the_plain_network(tmp_path: Path) -> None:
    path = tmp_path / "gains.json"
    switches(["--only", "fused_qkv", "--pairs", "2", "--threads", "1", "--json", str(path)])
    gains = json.loads(path.read_text())
    assert set(gains) == {"fused_qkv"}
    assert min(gains["fused_qkv"].values()) > 0
