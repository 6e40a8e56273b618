"""Runs one forward pass of the U-Net: eagerly, compiled, or replayed from a captured CUDA graph.

Compiled and captured passes exist for few batch sizes: rows are padded up to the next one. Knows
tensors and batch sizes; no samples, no pictures.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch._inductor.runtime.cache_dir_utils import default_cache_dir

from gpu_worker.engines.catvton.switches import Switches

if TYPE_CHECKING:
    from torch.cuda import _POOL_HANDLE

    from gpu_worker.engines.catvton.denoiser import Denoiser

log = logging.getLogger(__name__)

COMPILE_CACHE = "TORCHINDUCTOR_CACHE_DIR"
BATCHES = (1, 2, 4, 8)
ROWS_PER_SAMPLE = 2  # with classifier-free guidance; a sample without it has one
SHAPES_COMPILED = 64  # beyond torch's own limit of 8 it would silently run eagerly again
WARM_RUNS = 3  # before a capture, as torch demands: lazy initialisation must not be recorded
Compute = Callable[[Tensor, Tensor], Tensor]


def batches_up_to(max_slots: int) -> tuple[int, ...]:
    """The batch sizes that are prepared: the powers of two below `max_slots` up to 8, and
    `max_slots` itself."""
    return (*(batch for batch in BATCHES if batch < max_slots), max_slots)


def keep_compiled(folder: Path) -> None:
    """Makes torch.compile cache its kernels in this folder, so that the next start finds them.

    An operator's own TORCHINDUCTOR_CACHE_DIR wins. It is compared with torch's default, because
    torch sets the variable to that when it is imported.
    """
    if os.environ.get(COMPILE_CACHE) in (None, default_cache_dir()):
        os.environ[COMPILE_CACHE] = str(folder.absolute())


class Passes:
    """Callable: a forward pass in the form of the switches. One call at a time.

    `backend`: of torch.compile; tests use a quick one.
    """

    def __init__(self, denoiser: Denoiser, switches: Switches, backend: str = "inductor"):
        self._denoiser = denoiser
        self._switches = switches
        self._rows: tuple[int, ...] = ()
        self._captured: dict[tuple[int, ...], CapturedPass] = {}
        self._pool: _POOL_HANDLE | None = None
        self._compute: Compute = _compiled(denoiser, backend) if switches.compiled else denoiser

    def limit(self, max_slots: int) -> None:
        """Sets the sizes to which rows are padded."""
        if self._switches.is_padded:
            self._rows = tuple(ROWS_PER_SAMPLE * batch for batch in batches_up_to(max_slots))

    def forget(self) -> None:
        """Drops captured and compiled passes, before the network's parameters change. It is not
        compiled again: that would take minutes, and shoppers wait."""
        self._captured.clear()
        self._pool = None
        self._compute = self._denoiser

    def __call__(self, rows: Tensor, timesteps: Tensor) -> Tensor:
        """(n, c, h, w), (n,) -> (n, 4, h, w), a tensor that later calls do not overwrite."""
        count = len(rows)
        full = next((size for size in self._rows if size >= count), count)
        padded = [_padded(tensor, full) for tensor in (rows, timesteps)]
        if self._switches.graphs and rows.is_cuda:  # cloned: the next replay overwrites the output
            return self._replay(padded)[:count].clone()
        return self._compute(*padded)[:count]

    def _replay(self, tensors: Sequence[Tensor]) -> Tensor:
        key = tuple(tensors[0].shape)
        if key not in self._captured:
            with torch.cuda.device(tensors[0].device):  # a capture records the current device
                self._captured[key] = CapturedPass(self._compute, tensors, self._pool)
            self._pool = self._captured[key].pool
        return self._captured[key](tensors)


class CapturedPass:
    """A CUDA graph of one forward pass of one shape: replaying it costs the host one launch.

    Inputs and output have fixed addresses, so each call copies its inputs there, and the output is
    valid until the next call. All graphs share one memory pool, because only one runs at a time.
    """

    def __init__(
        self, compute: Compute, example: Sequence[Tensor], pool: _POOL_HANDLE | None
    ) -> None:
        self._inputs = [tensor.clone() for tensor in example]
        device = self._inputs[0].device
        warm = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        warm.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(warm):
            for _ in range(WARM_RUNS):
                compute(*self._inputs)
        torch.cuda.current_stream(device).wait_stream(warm)
        self._graph = torch.cuda.CUDAGraph()
        # thread_local: the side thread may allocate memory meanwhile
        with torch.cuda.graph(self._graph, pool=pool, capture_error_mode="thread_local"):
            self._output = compute(*self._inputs)
        log.info("captured a pass of %s", tuple(self._inputs[0].shape))

    @property
    def pool(self) -> _POOL_HANDLE:
        return self._graph.pool()

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        for own, tensor in zip(self._inputs, tensors, strict=True):
            own.copy_(tensor)
        self._graph.replay()
        return self._output


def _compiled(denoiser: Denoiser, backend: str) -> Compute:
    torch._dynamo.config.recompile_limit = SHAPES_COMPILED
    torch._dynamo.config.accumulated_recompile_limit = 4 * SHAPES_COMPILED
    torch._dynamo.config.fail_on_recompile_limit_hit = True  # rather than silently run eagerly
    compute: Compute = torch.compile(denoiser, dynamic=False, backend=backend)
    return compute


def _padded(tensor: Tensor, rows: int) -> Tensor:
    """Padded to `rows` by repeating the first row, which cannot add a new numerical problem."""
    lacking = rows - len(tensor)
    if lacking <= 0:
        return tensor
    return torch.cat([tensor, tensor[:1].expand(lacking, *tensor.shape[1:])])
