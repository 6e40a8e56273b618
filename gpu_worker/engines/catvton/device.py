"""The device: how it is chosen and named, transfers to and from it, and torch's errors translated.

Knows torch and nothing of pictures. On a CPU everything here is a plain pass-through.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from gpu_worker.engine import DeviceLostError, OutOfMemoryError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "DEVICE_ALLOCATION_FAILED",  # of newer cuDNN
)
DEVICE_GONE = (
    "CUDA error",
    "CUDA driver error",
    "Triton Error [CUDA]",
    "CUBLAS_STATUS_",
    "cuDNN error",
    "device-side assert",
)


class DeviceError(ValueError):
    """The device that was asked for does not exist here."""


def choose_device(word: str) -> torch.device:
    """`auto`: the first CUDA device, else the CPU.

    Raises:
        DeviceError: there is no such device.
    """
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if word == "cpu" or (word == "auto" and not found):
        return torch.device("cpu")
    index = int(word.partition(":")[2] or 0)
    if index >= found:
        raise DeviceError(f"{word} was asked for, but torch finds {found} CUDA devices")
    return torch.device("cuda", index)


def choose_dtype(word: str, device: torch.device) -> torch.dtype:
    """`auto`: float16 on CUDA (13 times closer than bfloat16), float32 on the CPU."""
    if word == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    return DTYPES[word]


def name_of(device: torch.device) -> str:
    """The maker's name of the device, under which its latency curve is stored."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Copies from the host to the device; through pinned memory, so that the host does not wait for
    the work that the device is busy with."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def bring(tensor: Tensor) -> Tensor:
    """Copies from the device to the host, and waits until that is done."""
    if tensor.device.type != "cuda":
        return tensor.cpu()
    own = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    own.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensor.device).synchronize()
    return own


class SideStream:
    """A CUDA stream for work on one picture (encode, decode), beside the stream of the steps: to
    wait for this work is not to wait for the step under way.

    Both sides synchronise before they return: `use` waits for its stream, and a step for its
    result. So neither reads what the other has not yet written, nor frees what the other still
    reads. Thread-safe.
    """

    def __init__(self, device: torch.device):
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._one_at_a_time = threading.RLock()

    @contextmanager
    def use(self) -> Iterator[None]:
        """Work launched in this block runs on the stream and is done at its end. May be nested."""
        with self._one_at_a_time:
            if self._stream is None:
                yield
                return
            with torch.cuda.stream(self._stream):
                yield
            self._stream.synchronize()


def needed_bytes(device: torch.device, work: Callable[[], None]) -> int:
    """How many bytes of device memory `work` needs at its peak, on top of what is in use; 0 on a
    CPU."""
    if device.type != "cuda":
        work()
        return 0
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    return torch.cuda.max_memory_allocated(device) - before


@contextmanager
def telling_faults() -> Iterator[None]:
    """Translates torch's exceptions to those of the engine protocol.

    Raises:
        OutOfMemoryError, DeviceLostError.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        fault = fault_of(error)
        if fault is None:
            raise
        if isinstance(fault, OutOfMemoryError):
            _let_go(error)
        raise fault from error


def _let_go(error: Exception) -> None:
    """Frees the tensors that did not fit: the frames of the traceback still refer to them."""
    traceback.clear_frames(error.__traceback__)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def fault_of(error: Exception) -> Exception | None:
    """The exception translated; None if it is neither about memory nor about the device."""
    said = str(error)
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or _any(NO_MEMORY, said):
        return OutOfMemoryError(said)
    if isinstance(error, torch.AcceleratorError) or _any(DEVICE_GONE, said):
        return DeviceLostError(said)
    return None


def _any(words: tuple[str, ...], said: str) -> bool:
    return any(word in said for word in words)
