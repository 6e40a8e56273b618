"""Starts and ends child processes. Knows Linux; nothing of Proteus's parts.

The kernel kills a child when the thread that started it ends, however that happens
(PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

Child = subprocess.Popen[bytes]

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent_pid: int, death_signal: int) -> bool:
    """Makes the kernel send us `death_signal` when our parent ends. False: it has ended already."""
    _libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    return os.getppid() == parent_pid


def _die_with(parent_pid: int, death_signal: int) -> None:
    """Runs in the child between fork and exec, after any change of user (which would reset it)."""
    if not die_with(parent_pid, death_signal):
        os._exit(1)


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    stdout: Path | None = None,
    user: str | None = None,
    cwd: Path | None = None,
    death_signal: int = signal.SIGKILL,
) -> Child:
    """Starts a child in its own session, so that a terminal's Ctrl-C reaches only the parent.

    Its output is appended to `log`; with `stdout`, its standard output replaces that file instead.
    The kernel sends it `death_signal` when the calling thread ends.
    """
    parent_pid = os.getpid()
    with ExitStack() as files:
        said = files.enter_context(log.open("ab"))
        output = files.enter_context(stdout.open("wb")) if stdout else said
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=said,
            env=dict(env) if env is not None else None,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=lambda: _die_with(parent_pid, death_signal),  # noqa: PLW1509
        )


def stop(child: Child, *, with_signal: int = signal.SIGTERM, grace_s: float = 10.0) -> int:
    """Ends a child by a signal, after `grace_s` by SIGKILL, with its whole process group.

    `with_signal` 0: sends none and only waits for `grace_s`. Returns the exit code.
    """
    if child.poll() is None:
        child.send_signal(with_signal)
        with suppress(subprocess.TimeoutExpired):
            child.wait(grace_s)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    return child.wait()


def free_port(host: str = "127.0.0.1") -> int:
    """A free port, below the kernel's ephemeral range, so that it is still free when a process that
    died is started again."""
    while True:
        port = random.randrange(20_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((host, port))
            return port


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there; connections in TIME_WAIT do not count."""
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return True
    return False


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def wait_until(
    ready: Callable[[], bool], *, within_s: float, child: Child | None = None, every_s: float = 0.02
) -> bool:
    """Polls `ready` until it is true. False: the time is over or the child has ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if ready():
            return True
        if child is not None and child.poll() is not None:
            return False
        time.sleep(every_s)
    return False
