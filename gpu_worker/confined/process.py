"""One confined child as its parent sees it: started, asked, timed, ended. One thread at a time.

Started by exec, so that nothing of this process's memory, threads or open files is in it. Trusts
nothing that it says: lengths are bounded, and the CPU time is the kernel's.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import gpu_worker
from gpu_worker.confined import wire
from gpu_worker.confined.wire import GarbledError, Head

ROOT = Path(gpu_worker.__file__).parent.parent  # from where its module is found
PIPE_BYTES = 1 << 20  # the most that anybody may ask for
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

    def __init__(self, module: str, terms: Head, env: Mapping[str, str]):
        self._ending = threading.Lock()
        theirs, ours = os.pipe()
        self._life = os.fdopen(ours, "wb", buffering=0)  # closed when we end: then it ends too
        try:
            argv = [sys.executable, "-m", module, json.dumps({**terms, "parent_fd": theirs})]
            self._popen = subprocess.Popen(
                argv,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT,
                env={**ENVIRONMENT, **env},
                pass_fds=(theirs,),
            )
        finally:
            os.close(theirs)
        self._pipes = [self._life, *filter(None, (self._popen.stdin, self._popen.stdout))]
        self._in, self._out = (pipe.fileno() for pipe in self._pipes[1:])
        for fd in (self._in, self._out):
            os.set_blocking(fd, False)
            with suppress(OSError):  # this user's share of large pipes may be used up
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def cpu_s(self) -> float:
        """CPU time it has used in all; of one that has ended too, until it is reaped."""
        try:
            return time.clock_gettime((~self.pid << 3) | 2)  # as clock_getcpuclockid(3) counts
        except OSError:
            return 0.0

    def write(self, said: Head, body: bytes, until: float) -> None:
        """Raises GoneError, LateError."""
        for part in (memoryview(wire.line(said, len(body))), memoryview(body)):
            sent = 0
            while sent < len(part):
                self._wait(self._in, select.POLLOUT, until)
                with suppress(BlockingIOError):
                    sent += self._write(part[sent:])

    def read(self, max_body_bytes: int, until: float) -> tuple[Head, bytearray]:
        """Raises GoneError, LateError, GarbledError."""
        said, body = self._line(until)
        head, follows = wire.read_line(said, max_body_bytes)
        if len(body) > follows:
            raise GarbledError("more bytes than it said")
        found = bytearray(follows)
        found[: len(body)] = body
        view = memoryview(found)[len(body) :]
        while view:
            self._wait(self._out, select.POLLIN, until)
            view = view[self._read_into(view) :]
        return head, found

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
            for pipe in self._pipes:
                pipe.close()
            return self._popen.wait()

    def _line(self, until: float) -> tuple[bytes, bytes]:
        said = bytearray()
        while (end := said.find(b"\n")) < 0:
            if len(said) > wire.MAX_LINE_BYTES:
                raise GarbledError("a line without end")
            self._wait(self._out, select.POLLIN, until)
            piece = bytearray(wire.MAX_LINE_BYTES)
            said += piece[: self._read_into(memoryview(piece))]
        return bytes(said[:end]), bytes(said[end + 1 :])

    def _wait(self, fd: int, events: int, until: float) -> None:
        poll = select.poll()
        poll.register(fd, events)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise LateError

    def _write(self, part: memoryview) -> int:
        try:
            return os.write(self._in, part[:PIPE_BYTES])
        except BrokenPipeError:
            raise GoneError from None

    def _read_into(self, view: memoryview) -> int:
        read = os.readv(self._out, [view])
        if read == 0:
            raise GoneError
        return read
