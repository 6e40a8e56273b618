"""One confined child as its parent sees it: started, asked, timed, ended. One thread at a time.

Started by exec, so that nothing of this process's memory, threads or open files is in it. Trusts
nothing that it says: lengths are bounded, and the CPU time is the kernel's.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import gpu_worker
from gpu_worker.confined import wire
from gpu_worker.confined.shared import Shared, open_sealed
from gpu_worker.confined.wire import GarbledError, Head

ROOT = Path(gpu_worker.__file__).parent.parent  # from where its module is found
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}


class GoneError(Exception):
    """It has ended, or closed its pipe, before it answered."""


class LateError(Exception):
    """It has not answered in time."""


class Process:
    """`terms`: what `gpu_worker.confined.child` reads: memory_bytes, no_files."""

    def __init__(self, module: str, terms: Head, shared_bytes: int, env: Mapping[str, str]):
        self._ending = threading.Lock()
        shared_fd = open_sealed(shared_bytes)
        self._shared = Shared(os.dup(shared_fd), shared_bytes)
        theirs, ours = os.pipe()
        self._life = os.fdopen(ours, "wb", buffering=0)  # closed when we end: then it ends too
        fds = {"parent_fd": theirs, "shared_fd": shared_fd, "shared_bytes": shared_bytes}
        with ExitStack() as if_none_starts:
            if_none_starts.callback(self._shared.close)
            if_none_starts.callback(self._life.close)
            try:
                argv = [sys.executable, "-m", module, json.dumps({**terms, **fds})]
                self._popen = subprocess.Popen(
                    argv,
                    bufsize=0,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    cwd=ROOT,
                    env={**ENVIRONMENT, **env},
                    pass_fds=(theirs, shared_fd),
                )
            finally:
                os.close(theirs)
                os.close(shared_fd)
            if_none_starts.pop_all()
        self._pipes = [self._life, *filter(None, (self._popen.stdin, self._popen.stdout))]
        self._in, self._out = (pipe.fileno() for pipe in self._pipes[1:])
        for fd in (self._in, self._out):
            os.set_blocking(fd, False)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def is_reaped(self) -> bool:
        return self._popen.returncode is not None

    def cpu_s(self) -> float:
        """CPU time it has used in all; of one that has ended too, until it is reaped."""
        try:
            return time.clock_gettime((~self.pid << 3) | 2)  # as clock_getcpuclockid(3) counts
        except OSError:
            return 0.0

    def write(self, said: Head, body: bytes, until: float) -> None:
        """Raises GoneError, LateError; ValueError where the body does not fit."""
        left = memoryview(wire.line(said, self._shared.put(body)))
        while left:
            self._wait(self._in, select.POLLOUT, until)
            left = left[self._write(left) :]

    def read(self, until: float) -> tuple[Head, bytearray]:
        """Raises GoneError, LateError, GarbledError."""
        said = bytearray()
        while not said.endswith(b"\n"):
            if len(said) > wire.MAX_LINE_BYTES:
                raise GarbledError("a line without end")
            self._wait(self._out, select.POLLIN, until)
            said += self._read()
        head, count = wire.read_line(said, self._shared.size_bytes)
        return head, self._shared.get(count)

    def end(self) -> None:
        """Kills it if it still runs. Not reaped yet: its CPU clock can be read."""
        with self._ending:
            if self._popen.returncode is None:  # else its pid may be somebody else's
                os.kill(self.pid, signal.SIGKILL)
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def reap(self) -> int:
        """Ends it and closes its pipes. How it ended, as `subprocess` counts: one that ended by
        itself before keeps its own code."""
        self.end()
        with self._ending:
            self._shared.close()
            for pipe in self._pipes:
                pipe.close()
            return self._popen.wait()

    def _wait(self, fd: int, events: int, until: float) -> None:
        poll = select.poll()
        poll.register(fd, events)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise LateError

    def _write(self, left: memoryview) -> int:
        try:
            return os.write(self._in, left)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            raise GoneError from None

    def _read(self) -> bytes:
        said = os.read(self._out, wire.MAX_LINE_BYTES)
        if not said:
            raise GoneError
        return said
