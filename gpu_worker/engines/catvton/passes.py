"""How one forward pass is run: as it is, compiled, or replayed from a captured CUDA graph.

Knows tensors and batch sizes. Compiled and captured passes come in few sizes: rows are padded up
to the next one. No samples, no pictures.
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
ROWS_PER_SAMPLE = 2  # a guided sample; one without guidance is padded like any other
SHAPES_COMPILED = 64  # torch's own limit of 8 would send the ninth back to eager, silently
WARM_RUNS = 3  # before a capture, as torch asks for: lazy initialisations must not be recorded
Compute = Callable[[Tensor, Tensor], Tensor]


def batches_up_to(max_slots: int) -> tuple[int, ...]:
    """The batch sizes worth preparing: 1, 2, 4, 8 and the largest that may come."""
    return (*(batch for batch in BATCHES if batch < max_slots), max_slots)


def keep_compiled(folder: Path) -> None:
    """Where torch.compile keeps what it made, so that the next start finds it. An operator's own
    TORCHINDUCTOR_CACHE_DIR wins; torch writes its default there when it is imported."""
    if os.environ.get(COMPILE_CACHE) in (None, default_cache_dir()):
        os.environ[COMPILE_CACHE] = str(folder.absolute())


class Passes:
    """`backend` is torch.compile's; tests take a quick one."""

    def __init__(self, denoiser: Denoiser, switches: Switches, backend: str = "inductor"):
        self._denoiser = denoiser
        self._switches = switches
        self._rows: tuple[int, ...] = ()
        self._captured: dict[tuple[int, ...], CapturedPass] = {}
        self._pool: _POOL_HANDLE | None = None
        self._compute: Compute = _compiled(denoiser, backend) if switches.compiled else denoiser

    def limit(self, max_slots: int) -> None:
        """Fixes the sizes that rows are padded to."""
        if self._switches.is_padded:
            self._rows = tuple(ROWS_PER_SAMPLE * batch for batch in batches_up_to(max_slots))

    def forget(self) -> None:
        """Drops what was captured and compiled: the network's parameters are about to be others.
        To compile anew would take minutes, and shoppers wait."""
        self._captured.clear()
        self._pool = None
        self._compute = self._denoiser

    def __call__(self, rows: Tensor, timesteps: Tensor) -> Tensor:
        """(n, c, h, w), (n,) -> (n, 4, h, w); own memory, good until freed. One call at a time."""
        count = len(rows)
        full = next((size for size in self._rows if size >= count), count)
        padded = [_padded(tensor, full) for tensor in (rows, timesteps)]
        if self._switches.graphs and rows.is_cuda:
            return self._replay(padded)[:count].clone()
        return self._compute(*padded)[:count]

    def _replay(self, tensors: Sequence[Tensor]) -> Tensor:
        key = tuple(tensors[0].shape)
        if key not in self._captured:
            with torch.cuda.device(tensors[0].device):  # a capture is of the current one
                self._captured[key] = CapturedPass(self._compute, tensors, self._pool)
            self._pool = self._captured[key].pool
        return self._captured[key](tensors)


class CapturedPass:
    """One forward pass of one shape, recorded once: replaying costs the host a single launch.

    Its inputs and its output stay where they were recorded, so each call copies in, and the output
    holds until the next call. All passes share one memory pool, as only one runs at a time.
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
        # thread_local: whoever decodes beside us may allocate meanwhile
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
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    compute: Compute = torch.compile(denoiser, dynamic=False, backend=backend)
    return compute


def _padded(tensor: Tensor, rows: int) -> Tensor:
    """Repeats the first row: whatever it is, the network has to cope with it anyway."""
    lacking = rows - len(tensor)
    if lacking <= 0:
        return tensor
    return torch.cat([tensor, tensor[:1].expand(lacking, *tensor.shape[1:])])
