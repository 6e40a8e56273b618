"""The parent's side of one confined child: starts it, sends it work, reads its answers, kills it.

Started by exec, so that it inherits nothing of this process's memory, threads or open files. Trusts
nothing that it says: lengths are bounded, and the CPU time is measured by the kernel.
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

ROOT = Path(gpu_worker.__file__).parent.parent  # its working directory: finds the module there
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}


class GoneError(Exception):
    """The child ended, or closed its pipe, before it answered."""


class LateError(Exception):
    """The child did not answer in time."""


class Process:
    """A running child. For one thread at a time, except `end`, which any thread may call.

    `terms`: its limits, as `gpu_worker.confined.child` reads them: memory_bytes, no_files.
    """

    def __init__(self, module: str, terms: Head, shared_bytes: int, env: Mapping[str, str]):
        self._ending = threading.Lock()
        shared_fd = open_sealed(shared_bytes)
        self._shared = Shared(os.dup(shared_fd), shared_bytes)
        theirs, ours = os.pipe()
        self._life = os.fdopen(ours, "wb", buffering=0)  # closes when we end: that kills the child
        fds = {"parent_fd": theirs, "shared_fd": shared_fd, "shared_bytes": shared_bytes}
        with ExitStack() as if_none_starts:  # closes our ends if no child starts
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
            finally:  # the child has its own copies
                os.close(theirs)
                os.close(shared_fd)
            if_none_starts.pop_all()
        self._pipes = [self._life, *filter(None, (self._popen.stdin, self._popen.stdout))]
        self._in, self._out = (pipe.fileno() for pipe in self._pipes[1:])
        for fd in (self._in, self._out):  # every wait is a poll with a deadline
            os.set_blocking(fd, False)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def is_reaped(self) -> bool:
        return self._popen.returncode is not None

    def cpu_s(self) -> float:
        """CPU time it has used in all; also after its end, until it is reaped."""
        try:
            return time.clock_gettime((~self.pid << 3) | 2)  # as clock_getcpuclockid(3) counts
        except OSError:
            return 0.0

    def write(self, said: Head, body: bytes, until: float) -> None:
        """Sends a request. Raises GoneError, LateError; ValueError if the body does not fit."""
        left = memoryview(wire.line(said, self._shared.put(body)))
        while left:
            self._wait(self._in, select.POLLOUT, until)
            left = left[self._write(left) :]

    def read(self, until: float) -> tuple[Head, bytearray]:
        """Waits for an answer. Raises GoneError, LateError, GarbledError."""
        said = bytearray()
        while not said.endswith(b"\n"):
            if len(said) > wire.MAX_LINE_BYTES:
                raise GarbledError("a line without end")
            self._wait(self._out, select.POLLIN, until)
            said += self._read()
        head, count = wire.read_line(said, self._shared.size_bytes)
        return head, self._shared.get(count)

    def end(self) -> None:
        """Kills it if it still runs. It is not reaped yet, so that its CPU clock can be read."""
        with self._ending:
            if self._popen.returncode is None:  # else another process may have its pid
                os.kill(self.pid, signal.SIGKILL)
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def reap(self) -> int:
        """Kills it if necessary, closes its pipes, and returns its exit code as `subprocess` does:
        its own if it had already ended by itself."""
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
