"""Which device computes, and in which numbers."""

from __future__ import annotations

import pytest
import torch

from gpu_worker.engines.catvton.device import DeviceError, choose_device, choose_dtype, name_of


def test_the_device_is_chosen_and_named() -> None:
    cpu = torch.device("cpu")
    assert choose_device("cpu") == cpu
    assert name_of(cpu) == "cpu"
    assert choose_dtype("auto", cpu) is torch.float32
    assert choose_dtype("auto", torch.device("cuda")) is torch.float16
    assert choose_dtype("bfloat16", cpu) is torch.bfloat16


@pytest.mark.parametrize(
    ("word", "found", "chosen"),
    [("auto", 0, "cpu"), ("auto", 2, "cuda:0"), ("cuda", 1, "cuda:0"), ("cuda:1", 2, "cuda:1")],
)
def test_a_gpu_is_taken_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, word: str, found: int, chosen: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: found > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: found)
    assert choose_device(word) == torch.device(chosen)


@pytest.mark.parametrize(("word", "found"), [("cuda", 0), ("cuda:1", 1)])
def test_a_gpu_that_is_not_here_is_refused(
    monkeypatch: pytest.MonkeyPatch, word: str, found: int
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: found > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: found)
    with pytest.raises(DeviceError, match=f"finds {found} CUDA devices"):
        choose_device(word)
