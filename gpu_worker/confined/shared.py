"""Memory that a child and its parent both map: the body of what is asked, then of what is answered.

Through a pipe, ten megabytes take as many changes between the two as the pipe is small, and on a
busy machine each of them waits for its turn. Its size is sealed: neither side can be made to touch
what is not there.
"""

from __future__ import annotations

import fcntl
import mmap
import os


class Shared:
    """Takes the descriptor over."""

    def __init__(self, fd: int, size_bytes: int):
        try:
            self._map = mmap.mmap(fd, size_bytes)
        finally:
            os.close(fd)
        self.size_bytes = size_bytes

    def put(self, body: bytes | bytearray | memoryview) -> int:
        """How many bytes lie there now. Raises ValueError: they do not fit."""
        flat = memoryview(body).cast("B")
        if len(flat) > self.size_bytes:
            raise ValueError(f"{len(flat)} bytes, where {self.size_bytes} fit")
        self._map[: len(flat)] = flat
        return len(flat)

    def get(self, count: int) -> bytearray:
        """A copy: what is checked afterwards can change no more."""
        with memoryview(self._map) as whole, whole[:count] as part:
            return bytearray(part)

    def close(self) -> None:
        self._map.close()


def open_sealed(size_bytes: int) -> int:
    """A descriptor of memory that takes no room until it is written to."""
    fd = os.memfd_create("confined", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size_bytes)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd
