"""The drawing worker of a journey: stopped for a while, or with a slow one in its place."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from local.children import spawn, stop
from tests.launcher import Launcher

# 20 steps of a tenth of a second and more: long enough for progress to be seen.
SLOW_CURVE = "120,0,20"


@contextmanager
def held(stack: Launcher) -> Iterator[None]:
    """The drawing worker is stopped in the middle of whatever it does, and then goes on."""
    pid = stack.pid("worker")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def slow_worker(stack: Launcher) -> Iterator[None]:
    """One more worker of the stack's engine, told what the stack's own was told."""
    env = psutil.Process(stack.pid("worker")).environ()
    slow = {"PROTEUS_NULL_CURVE": SLOW_CURVE, "PROTEUS_BATCH_SIZE": "1"}
    argv = [sys.executable, "-m", "tests.journey.slow_worker"]
    child = spawn(argv, env={**env, **slow}, log=stack.home / "logs" / "slow_worker.log")
    try:
        yield
    finally:
        stop(child)
