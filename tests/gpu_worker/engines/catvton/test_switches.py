"""Every switch computes what the plain network computes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

from gpu_worker.config import SWITCHES as SETTING
from gpu_worker.engines.catvton.passes import Passes, batches_up_to
from gpu_worker.engines.catvton.switches import SWITCHES, Switches
from gpu_worker.weights.sources import Kind
from tests.conftest import do_without
from tests.gpu_worker.engines.catvton.drawing import (
    drawn,
    engine_of,
    error,
    least_model,
    order,
    thin_model,
    tiny_model,
)

WISHES = [(1, 4, 2.5), (2, 3, 1.0), (3, 2, 3.5)]
SAME = {"fused_qkv": 1e-5, "channels_last": 1e-5, "graphs": 1e-5}


def test_the_setting_knows_every_switch() -> None:
    assert SETTING == SWITCHES
    assert Switches.of(SWITCHES) == Switches(True, True, True, True)
    with pytest.raises(ValueError, match="'warp'"):
        Switches.of(["warp"])


Plain = tuple[Kind, list[torch.Tensor]]


@pytest.fixture(scope="module", params=list(Kind))
def plain(request: pytest.FixtureRequest, tiny_weights: Path) -> Plain:
    """What each pipeline draws without any switch."""
    wishes = [order(*wish) for wish in WISHES]
    return request.param, drawn(engine_of(tiny_model(tiny_weights, request.param)), *wishes)


@pytest.mark.parametrize("word", SAME)
def test_a_switch_changes_nothing(tiny_weights: Path, plain: Plain, word: str) -> None:
    kind, expected = plain
    wishes = [order(*wish) for wish in WISHES]
    switched = drawn(engine_of(tiny_model(tiny_weights, kind, word)), *wishes)
    worst = max(error(ours, theirs) for ours, theirs in zip(switched, expected, strict=True))
    assert worst <= SAME[word]


@pytest.mark.slow
def test_a_compiled_network_computes_the_same(tiny_weights: Path) -> None:
    (plain,) = drawn(engine_of(thin_model(tiny_weights)), order(*WISHES[0]))
    (compiled,) = drawn(
        engine_of(thin_model(tiny_weights, "compiled", "fused_qkv")), order(*WISHES[0])
    )
    assert error(compiled, plain) <= 1e-5


def test_compiled_passes_are_padded_and_the_same(tiny_weights: Path) -> None:
    """Five rows of three samples go through the pass of four samples."""
    plain = drawn(engine_of(least_model(tiny_weights)), *(order(*wish) for wish in WISHES))
    model = least_model(tiny_weights, "compiled")
    seen: list[int] = []
    model.denoiser.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    compiled = drawn(engine_of(model), *(order(*wish) for wish in WISHES))
    assert set(seen) == {2, 4, 8}
    for ours, theirs in zip(compiled, plain, strict=True):
        assert error(ours, theirs) <= 1e-5


def test_more_shapes_than_torch_allows_by_itself_stay_compiled(tiny_weights: Path) -> None:
    """Ten shapes, where torch would run the ninth uncompiled and only log it."""
    torch.compiler.reset()  # what another test compiled would be taken for ours
    counters.clear()
    engine_of(least_model(tiny_weights, "compiled"), max_slots=9).warm_up()
    assert torch._dynamo.config.fail_on_recompile_limit_hit
    assert counters["stats"]["unique_graphs"] >= 10


@pytest.mark.parametrize(
    ("slots", "batches"),
    [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (8, (1, 2, 4, 8)), (12, (1, 2, 4, 8, 12))],
)
def test_few_batch_sizes_are_prepared(slots: int, batches: tuple[int, ...]) -> None:
    assert batches_up_to(slots) == batches


def test_fused_weights_are_not_kept_twice(tiny_weights: Path) -> None:
    plain, fused = (
        tiny_model(tiny_weights, Kind.MASKFREE, *words) for words in ((), ("fused_qkv",))
    )
    sizes = [sum(p.numel() for p in model.unet.parameters()) for model in (plain, fused)]
    assert sizes[0] == sizes[1]


def test_a_network_that_overflows_in_float16_goes_on_in_bfloat16(tiny_weights: Path) -> None:
    model = tiny_model(tiny_weights, dtype=torch.float16)
    engine = engine_of(model)
    whole = drawn(engine, order(1))[0]
    assert model.dtype == torch.float16
    sample = engine.admit(order(1))
    with torch.no_grad():
        model.unet.conv_out.weight.mul_(60_000)  # a sum of two such is beyond float16
    engine.step([sample])
    assert model.dtype == torch.bfloat16
    assert sample.step == 1
    assert torch.isfinite(sample.latents).all()
    assert torch.isfinite(whole).all()


class Doubling(torch.nn.Module):
    def forward(self, rows: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        return rows * 2 + timesteps[:, None, None, None]


def test_after_an_overflow_nothing_is_compiled_anew() -> None:
    """That would take minutes, while shoppers wait."""
    counters.clear()
    network: Any = Doubling()
    passes = Passes(network, Switches.of(["compiled"]), backend="eager")
    passes(torch.ones(2, 4, 6, 8), torch.arange(2))
    assert counters["stats"]["unique_graphs"] == 1
    passes.forget()
    drawn_anew = passes(torch.ones(2, 4, 6, 8, dtype=torch.bfloat16), torch.arange(2))
    assert counters["stats"]["unique_graphs"] == 1
    assert drawn_anew[1].mean() == 3


def test_float16_is_closer_than_bfloat16(tiny_weights: Path) -> None:
    exact, half, brain = (
        drawn(engine_of(tiny_model(tiny_weights, dtype=dtype)), order(1, 4))[0]
        for dtype in (torch.float32, torch.float16, torch.bfloat16)
    )
    assert error(half, exact) < error(brain, exact) / 2
    assert error(half, exact) < 1e-2


def test_what_overflows_in_float32_too_is_an_error(tiny_weights: Path) -> None:
    model = tiny_model(tiny_weights)
    engine = engine_of(model)
    sample = engine.admit(order(1))
    with torch.no_grad():
        model.unet.conv_out.bias.fill_(float("inf"))
    with pytest.raises(FloatingPointError):
        engine.step([sample])
    assert sample.step == 0
    assert torch.isfinite(sample.latents).all()


COMPILE = """
import os, sys, torch, torch._inductor.compile_fx
from pathlib import Path
from gpu_worker.engines.catvton.passes import Passes, keep_compiled
from gpu_worker.engines.catvton.switches import Switches
from torch._dynamo.utils import counters
torch.set_num_threads(1)
# Vectors and headers compiled beforehand cost the compiler more than so small a function.
torch._inductor.config.cpp.simdlen = 1
torch._inductor.config.cpp.vec_isa_ok = False
torch._inductor.config.cpp_cache_precompile_headers = False
class Small(torch.nn.Module):
    def forward(self, rows, timesteps):
        return torch.sin(rows * 2) + timesteps[:, None, None, None]
def start():
    keep_compiled(Path(sys.argv[1]))
    passes = Passes(Small(), Switches.of(["compiled"]))
    passes.limit(2)
    given = [torch.ones(3, 4, 6, 8), torch.arange(3)]
    with torch.inference_mode():
        same = torch.allclose(passes(*given), Small()(*given))
    made = counters["inductor"]
    print(same, made["fxgraph_cache_miss"], made["fxgraph_cache_hit"], flush=True)
for _ in range(2):
    if os.fork() == 0:
        start()
        os._exit(0)
    assert os.wait()[1] == 0
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_next_start_finds_what_inductor_made(tmp_path: Path) -> None:
    """With inductor itself, on a small function: a whole network takes it minutes. Both starts are
    forks of a process that has compiled nothing, so that torch is imported once."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if shutil.which("g++") is None or not header.exists():
        do_without("g++ and Python's headers: torch.compile builds with them")
    env = {name: value for name, value in os.environ.items() if name != "TORCHINDUCTOR_CACHE_DIR"}
    env["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # else it starts a pool of processes beside it
    argv = [sys.executable, "-c", COMPILE, str(tmp_path / "kept")]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True, timeout=250)
    assert done.stdout.splitlines() == ["True 1 0", "True 0 1"]
    assert list((tmp_path / "kept").rglob("*.so")), "compiled by g++"
