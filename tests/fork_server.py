"""Starts workers and stewards as forks of one process that has imported what they import.

To import it anew for each would be most of what the tests do that start many. From there on a
child is like any other: its module run as `__main__`, a session of its own, its log, its death
with ours.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from local import children
from local.children import Child

FORKED = {
    "bench.queue_workers",
    "bench.scheduling.processes",
    "gpu_worker",
    "server.steward",
    "tests.faults.broken_worker",
}
IMPORTED = [
    "gpu_worker.__main__",
    "gpu_worker.arbitrator",
    "gpu_worker.storage.courier",
    "gpu_worker.vision.images",
    "gpu_worker.engines.null",
    "gpu_worker.storage.store",
    "gpu_worker.worker",
    "server.infra.services",
    "server.steward.steward",
]


def spawn(argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> Child:
    """As `children.spawn` does it; what must be loaded before Python is, is started so."""
    python, option, *module = argv
    own = (python, option) == (sys.executable, "-m") and module[0] in FORKED
    if not own or "LD_PRELOAD" in (env or {}):
        return children.spawn(argv, log=log, env=env)
    return Forked(module, log, os.environ if env is None else env)


class Forked(Child):
    """The parts of Popen that tests and `children.stop` use."""

    def __init__(self, argv: Sequence[str], log: Path, env: Mapping[str, str]):
        self.args = argv
        self.returncode = None
        # A daemon is ended with us, and not waited for.
        self._process = _forks().Process(target=_run, args=(argv, log, dict(env)), daemon=True)
        self._process.start()
        self.pid = _pid_of(self._process)

    def poll(self) -> int | None:
        self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code


@cache
def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def _pid_of(process: ForkServerProcess) -> int:
    assert process.pid is not None
    return process.pid


def _run(argv: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
    os.setsid()
    children.die_with(os.getppid(), signal.SIGKILL)
    said = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = list(argv)
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
