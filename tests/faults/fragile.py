"""Services that a test may kill and start again at the same address, with their data on disk."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis, RedisError

from local.children import Child, free_port, spawn, stop
from local.parts import redis_program
from tests.waiting import wait_for


class FragileRedis:
    """Redis as the local stack runs it: every write is on disk before it is acknowledged."""

    def __init__(self, folder: Path, port: int):
        self._folder = folder
        self._port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._child = self._spawn()

    def kill(self) -> None:
        self._child.send_signal(signal.SIGKILL)
        self._child.wait()

    def restart(self) -> None:
        self._child = self._spawn()

    def end(self) -> None:
        stop(self._child)

    def _spawn(self) -> Child:
        argv = [redis_program(), "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""]
        argv += ["--dir", str(self._folder), "--appendonly", "yes", "--appendfsync", "always"]
        child = spawn(argv, log=self._folder / "redis-server.log")
        wait_for(self._answers)
        return child

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url) as client:
                return bool(client.ping())
        except RedisError:  # not there yet, or loading its file
            return False


@contextmanager
def fragile_redis(folder: Path, port: int | None = None) -> Iterator[FragileRedis]:
    made = FragileRedis(folder, port or free_port())
    try:
        yield made
    finally:
        made.end()
