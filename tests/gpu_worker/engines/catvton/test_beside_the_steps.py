"""What a GPU would do, as far as it shows without one: nothing of the host's memory slips into
what the device computes, what is done for one picture alone stays off the steps' stream, and two
who step take turns.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from gpu_worker.engine import Pixels
from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.model import Model
from gpu_worker.weights.sources import Kind
from tests.gpu_worker.engines.catvton.drawing import SIZE, engine_of, order, run, tiny_model

FAR = torch.device("meta")


@pytest.mark.parametrize(
    ("kind", "dtype"), [(Kind.INPAINT, torch.float32), (Kind.MASKFREE, torch.float16)]
)
def test_all_that_a_pass_reads_lies_on_the_device(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, dtype: torch.dtype
) -> None:
    """torch's fake tensors have no values, but a device, and refuse to compute across two."""
    words = ("fused_qkv", "channels_last")
    model = tiny_model(tiny_weights, kind, *words, dtype=dtype, device=FAR)
    engine = engine_of(model, reads_photos=False)
    monkeypatch.setattr(engine, "_is_finite", lambda _moved: True)  # it has no values
    with FakeTensorMode(allow_non_fake_inputs=True), torch.inference_mode():
        samples = [engine.admit(order(1, 3, 2.5)), engine.admit(order(2, 3, 1.0))]
        engine.step(samples)
        model.give_up_float16()
        engine.step(samples)
        picture = model.decode(model.layout.person_half(samples[0].latents))
    for sample in samples:
        assert sample.latents.device == sample.conditions.device == FAR
        assert sample.latents.dtype == sample.conditions.dtype == torch.float32
    assert (picture.device, picture.dtype) == (FAR, torch.float32)
    assert picture.shape == (3, SIZE.height, SIZE.width)


class SideStream:
    """Knows whether one is at work in it."""

    def __init__(self) -> None:
        self.depth = 0

    @contextmanager
    def use(self) -> Iterator[None]:
        self.depth += 1
        yield
        self.depth -= 1


class Watching:
    """A checker that notes whether it was asked beside the steps; flags the first picture."""

    def __init__(self, beside: SideStream):
        self._beside = beside
        self.seen: list[bool] = []

    def is_safe(self, picture: Pixels) -> bool:
        self.seen.append(self._beside.depth > 0)
        return len(self.seen) > 1


def test_what_is_done_for_one_alone_never_waits_for_the_steps(tiny_weights: Path) -> None:
    """On the steps' stream every look at a value would wait for the step under way, and the
    checker looks at twenty."""
    model = tiny_model(tiny_weights)
    beside = SideStream()
    model.side_stream = beside  # type: ignore[assignment]
    checker = Watching(beside)
    coded, stepped = _noted(model, beside)
    engine = engine_of(model, checker=checker)
    sample = engine.admit(order(1, 2))
    run(engine, [sample])
    engine.finish(sample)
    assert checker.seen == [True, True], "both tries"
    assert coded == [True] * 6, "two photos, two garments, two pictures"
    assert stepped == [False] * 4


def _noted(model: Model, beside: SideStream) -> tuple[list[bool], list[bool]]:
    """For every use of the VAE, and of the U-Net, whether it was beside the steps."""
    coded: list[bool] = []
    stepped: list[bool] = []
    for part in (model.vae.encoder, model.vae.decoder):
        part.register_forward_pre_hook(lambda *_: coded.append(beside.depth > 0))
    model.unet.register_forward_pre_hook(lambda *_: stepped.append(beside.depth > 0))
    return coded, stepped


def test_two_threads_that_step_take_turns(tiny_weights: Path) -> None:
    """A second try steps in the thread of its finish: a recorded pass has one set of inputs."""
    model = tiny_model(tiny_weights)
    engine: CatvtonEngine = engine_of(model)
    both = threading.Barrier(2)
    met: list[bool] = []

    def meet(*_: Any) -> None:
        try:
            both.wait(0.3)
            met.append(True)
        except threading.BrokenBarrierError:
            both.reset()

    samples = [engine.admit(order(seed, 2)) for seed in (1, 2)]
    model.unet.register_forward_pre_hook(meet)
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(run, engine, [sample]) for sample in samples]:
            done.result()
    assert not met
