"""The drawing worker of a journey: stopped for a while, or with a slow one in its place."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from redis import Redis

from gpu_worker import contract
from gpu_worker.arbitrator.override import clear_override, set_override
from gpu_worker.control import Override
from local.children import spawn, stop
from tests.launcher import Launcher
from tests.waiting import wait_for

# 20 steps of a tenth of a second and more: long enough for progress to be seen.
SLOW_CURVE = "120,0,20"
FOR_S = 300  # an override that nobody clears ends by itself


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
    """One more worker of the stack's engine, told what the stack's own was told. It draws one
    picture at a time: an operator's override says so, or the law might let it draw all at once."""
    env = psutil.Process(stack.pid("worker")).environ()
    argv = [sys.executable, "-m", "tests.journey.slow_worker"]
    with one_slot(env["REDIS_URL"]):
        log = stack.home / "logs" / "slow_worker.log"
        child = spawn(argv, env={**env, "PROTEUS_NULL_CURVE": SLOW_CURVE}, log=log)
        try:
            yield
        finally:
            stop(child)


@contextmanager
def one_slot(redis_url: str) -> Iterator[None]:
    """The preview's workers draw one picture at a time."""
    with Redis.from_url(redis_url) as redis:
        policy = contract.policy_key("preview")
        set_override(redis, "preview", Override(batch_size=1), FOR_S)
        wait_for(lambda: redis.hget(policy, "batch_size") == b"1")
        try:
            yield
        finally:
            clear_override(redis, "preview")
