"""The real loading path on small weights, and every file that must be refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from gpu_worker.engines.catvton.attention import self_attentions
from gpu_worker.engines.catvton.weights import load
from gpu_worker.weights.disk import Lock, WeightFiles
from gpu_worker.weights.sources import ATTENTION_FILE, SOURCES, Kind, WeightsError

Tensors = dict[str, Tensor]
CPU = torch.device("cpu")


def weight_files(folder: Path) -> WeightFiles:
    return WeightFiles(Lock(folder / "lock.json"), folder)


@pytest.fixture
def weights(tiny_weights: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_weights, tmp_path / "weights"))


def attention_file(folder: Path) -> Path:
    return folder / SOURCES[Kind.MASKFREE].attention.repository / ATTENTION_FILE


@pytest.mark.parametrize("kind", list(Kind))
def test_sets_all_eighty_tensors(tiny_weights: Path, kind: Kind) -> None:
    model = load(kind, weight_files(tiny_weights), CPU, torch.float32)
    file = load_file(tiny_weights / SOURCES[kind].attention.repository / ATTENTION_FILE)
    assert len(file) == 80
    for n, name in enumerate(self_attentions(model.unet)):
        loaded = model.unet.get_submodule(name).state_dict()
        for tensor, value in loaded.items():
            assert torch.equal(value, file[f"{8 * n}.{tensor}"])


def test_the_middle_block_is_last(tiny_weights: Path) -> None:
    names = self_attentions(load(Kind.INPAINT, weight_files(tiny_weights), CPU, torch.float32).unet)
    assert len(names) == 16
    assert names[0].startswith("down_blocks.0")
    assert names[-1].startswith("mid_block")


def test_takes_the_inner_modules_names_too(weights: Path) -> None:
    inner = {"to_q.": 1, "to_k.": 2, "to_v.": 3, "to_out.0.": 5}

    def renamed(key: str) -> str:
        place, _, rest = key.partition(".")
        prefix = next(p for p in inner if rest.startswith(p))
        return f"{int(place) + inner[prefix]}.{rest.removeprefix(prefix)}"

    before = load(Kind.MASKFREE, weight_files(weights), CPU, torch.float32).unet.state_dict()
    rewrite(weights, lambda tensors: {renamed(key): value for key, value in tensors.items()})
    after = load(Kind.MASKFREE, weight_files(weights), CPU, torch.float32).unet.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def rewrite(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    path = attention_file(folder)
    tensors = {key: value.clone() for key, value in load_file(path).items()}
    save_file(change(tensors), path)


def without_one(tensors: Tensors) -> Tensors:
    return {key: value for key, value in tensors.items() if key != "8.to_q.weight"}


def one_more(tensors: Tensors) -> Tensors:
    return {**tensors, "128.to_q.weight": torch.zeros(1)}


def another_shape(tensors: Tensors) -> Tensors:
    return {**tensors, "8.to_q.weight": torch.zeros(3, 3)}


def stride_of_seven(tensors: Tensors) -> Tensors:
    moved = {}
    for key, value in tensors.items():
        place, _, rest = key.partition(".")
        moved[f"{int(place) // 8 * 7}.{rest}"] = value
    return moved


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without_one, "1 of 80 tensors are missing, the first 8.to_q.weight"),
        (one_more, "1 are foreign, the first 128.to_q.weight"),
        (another_shape, "8.to_q.weight is (3, 3), not (32, 32)"),
        (stride_of_seven, "are missing"),
        (lambda _: {"unet.weight": torch.zeros(1)}, "80 of 80 tensors are missing"),
    ],
)
def test_refuses_a_foreign_file(
    weights: Path, change: Callable[[Tensors], Tensors], says: str
) -> None:
    rewrite(weights, change)
    with pytest.raises(WeightsError) as refused:
        load(Kind.MASKFREE, weight_files(weights), CPU, torch.float32)
    assert says in str(refused.value)


def test_refuses_a_short_file(weights: Path) -> None:
    path = attention_file(weights)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="no complete safetensors file"):
        load(Kind.MASKFREE, weight_files(weights), CPU, torch.float32)


def test_refuses_a_missing_file(weights: Path) -> None:
    attention_file(weights).unlink()
    with pytest.raises(WeightsError, match="weights fetch"):
        load(Kind.MASKFREE, weight_files(weights), CPU, torch.float32)


def test_refuses_the_other_pipelines_base(weights: Path) -> None:
    bases = [weights / SOURCES[kind].base.repository / "unet" for kind in Kind]
    shutil.rmtree(bases[0])
    shutil.copytree(bases[1], bases[0])
    with pytest.raises(WeightsError, match="needs a U-Net of 8 channels, this one has 9"):
        load(Kind.MASKFREE, weight_files(weights), CPU, torch.float32)
