"""The child's side of the sandbox: a loop that does one piece of work after another within limits.

The parent passes the limits as an argument. The child knows nothing of the work, and of its parent
only the pipes and the shared memory. It dies with its parent, whatever it is doing.
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
    """Reports that it is ready, then answers requests until the parent closes the pipe.

    Call it when everything is imported and has run once: from then on the process may be unable to
    open files.
    """
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
    """(requests, answers). Points standard output at standard error: what a library prints must go
    to the log, never between the answers.

    Unbuffered: an answer is no longer than a pipe's buffer, so that one write takes all of it.
    """
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return os.fdopen(0, "rb"), answers


def _end_with_parent(parent_fd: int) -> None:
    """Makes the kernel kill this process when the parent ends, however it ends.

    The parent holds the other end of this pipe and never writes to it. When that end closes, the
    kernel sends SIGIO, whose default action kills. PR_SET_PDEATHSIG would fire as soon as the
    thread that started us ends, and threads come and go.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(parent_fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(parent_fd, fcntl.F_SETFL, os.O_ASYNC)
    for kind in (signal.SIGINT, signal.SIGTERM):  # meant for the parent, which still needs us
        signal.signal(kind, signal.SIG_IGN)


def _confine(memory_bytes: int, no_files: bool) -> None:
    """Limits memory, core dumps and, with `no_files`, new descriptors.

    RLIMIT_DATA counts writable memory; RLIMIT_AS would also count libraries and the address space
    that they only reserve. Without new descriptors there is no file and no socket, even for code
    that a crafted picture smuggled in; what is open stays open.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if no_files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _limited(work: Work, cpu_s: float, head: Head, body: bytes) -> tuple[Head, bytes | memoryview]:
    """Does the work within `cpu_s`. When that is used up, SIGPROF kills the process, also in the
    middle of C code. RLIMIT_CPU does the same, but only counts whole seconds."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        said, found = work(head, body)
        return {"said": said}, found
    except MemoryError:
        os._exit(EXIT_MEMORY)
    except Exception as error:  # noqa: BLE001 ends this piece of work, not the child
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"[:1000]}, b""
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
