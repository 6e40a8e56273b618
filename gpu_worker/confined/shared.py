"""Memory shared by child and parent (a sealed memfd): the body of a request, then of its answer.

Not a pipe: that is so small that ten megabytes take hundreds of context switches, each of which
waits for its turn on a busy machine. The size is sealed: by shrinking the file one side could crash
the other.
"""

from __future__ import annotations

import fcntl
import mmap
import os


class Shared:
    """The mapped memory. Takes over the descriptor and closes it."""

    def __init__(self, fd: int, size_bytes: int):
        try:
            self._map = mmap.mmap(fd, size_bytes)
        finally:
            os.close(fd)
        self.size_bytes = size_bytes

    def put(self, body: bytes | bytearray | memoryview) -> int:
        """Writes the body; returns its length in bytes. Raises ValueError if it does not fit."""
        flat = memoryview(body).cast("B")
        if len(flat) > self.size_bytes:
            raise ValueError(f"{len(flat)} bytes, where {self.size_bytes} fit")
        self._map[: len(flat)] = flat
        return len(flat)

    def get(self, count: int) -> bytearray:
        """The first `count` bytes: a copy, so that the other side cannot change what we check."""
        with memoryview(self._map) as whole, whole[:count] as part:
            return bytearray(part)

    def close(self) -> None:
        self._map.close()


def open_sealed(size_bytes: int) -> int:
    """A memfd of this size, which uses memory only where it has been written to."""
    fd = os.memfd_create("confined", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size_bytes)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd
