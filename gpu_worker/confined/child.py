"""The loop of a confined child: one piece of work after another, each within its limits.

Its limits come from whoever started it. Knows nothing of what the work is, and of its parent two
pipes only; it ends with its parent, whatever it is doing.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from typing import IO

from gpu_worker.confined import wire
from gpu_worker.confined.shared import Shared
from gpu_worker.confined.wire import Head

EXIT_MEMORY = 75
Work = Callable[[Head, bytes], tuple[Head, bytes | memoryview]]


def serve(work: Work) -> None:
    """Says that it is ready, then works until its parent is gone. Call it when all is imported
    and has run once: afterwards the process may be unable to open anything."""
    terms = json.loads(sys.argv[1])
    shared = Shared(terms["shared_fd"], terms["shared_bytes"])
    requests, answers = _take_the_pipes()
    _end_with_parent(terms["parent_fd"])
    _confine(terms["memory_bytes"], terms["no_files"])
    answers.write(wire.line({"ready": True}, 0))
    while said := requests.readline(wire.MAX_LINE_BYTES):
        head, count = wire.read_line(said, shared.size_bytes)
        told, body = _limited(work, head["cpu_s"], head["asked"], bytes(shared.get(count)))
        answers.write(wire.line(told, shared.put(body)))


def _take_the_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """What a library prints goes to our log, never between the answers, which are less than a pipe
    holds."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return os.fdopen(0, "rb"), answers


def _end_with_parent(parent_fd: int) -> None:
    """Nothing is ever written to this pipe. When its other end closes, which is when the parent
    ends, however it ends, the kernel sends SIGIO, which kills. PR_SET_PDEATHSIG would not do: it
    goes by the thread that started us, and those come and go."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(parent_fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(parent_fd, fcntl.F_SETFL, os.O_ASYNC)
    for kind in (signal.SIGINT, signal.SIGTERM):  # meant for the parent, which may still need us
        signal.signal(kind, signal.SIG_IGN)


def _confine(memory_bytes: int, no_files: bool) -> None:
    """RLIMIT_DATA counts what this process may write to. RLIMIT_AS would count the libraries and
    the address space that they only reserve, too. No new descriptor is no file and no socket,
    whatever the code that a picture smuggled in may call; what is open stays open."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if no_files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _limited(work: Work, cpu_s: float, head: Head, body: bytes) -> tuple[Head, bytes | memoryview]:
    """SIGPROF kills when the CPU time is up, in the middle of C code too. RLIMIT_CPU would as
    well, but in whole seconds."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        said, found = work(head, body)
        return {"said": said}, found
    except MemoryError:
        os._exit(EXIT_MEMORY)
    except Exception as error:  # noqa: BLE001 the loop's edge: this work's end, not the child's
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"[:1000]}, b""
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
