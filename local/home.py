"""The folder of one local stack: its lock, secrets, logs, and `demo.json`."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


class AlreadyRunningError(Exception):
    """Another stack runs on the same folder."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Random secrets, generated once per folder, so that keys and sessions survive a restart."""

    secret_key: str
    access_key_id: str
    secret_access_key: str

    @classmethod
    def fresh(cls) -> Secrets:
        return cls(
            secret_key=secrets.token_urlsafe(48),
            access_key_id="LOCAL" + secrets.token_hex(8).upper(),
            secret_access_key=secrets.token_urlsafe(30),
        )


class Home:
    """The folder. Only its owner may read it: it contains photos of people."""

    def __init__(self, path: Path):
        self.path = path

    def folder(self, name: str) -> Path:
        folder = self.path / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def log(self, name: str) -> Path:
        return self.folder("logs") / f"{name}.log"

    def last_lines(self, name: str, count: int = 15) -> list[str]:
        """The last lines of a part's log; none if there is no log."""
        try:
            with self.log(name).open(errors="replace") as lines:
                return [line.rstrip("\n") for line in deque(lines, maxlen=count)]
        except FileNotFoundError:
            return []

    def put_logs_aside(self) -> None:
        """Log rotation at each start: keeps one earlier generation."""
        for log in self.folder("logs").glob("*.log"):
            log.replace(log.with_suffix(".log.1"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """An exclusive lock on the folder, which the kernel releases when the process ends.

        Raises:
            AlreadyRunningError: another process holds it.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.path / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise AlreadyRunningError(lock.read().strip()) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def secrets(self) -> Secrets:
        path = self.path / "secrets.json"
        if not path.exists():
            write_private(path, json.dumps(asdict(Secrets.fresh()), indent=2))
        return Secrets(**json.loads(path.read_text()))

    @property
    def demo_path(self) -> Path:
        return self.path / "demo.json"

    def write_demo(self, demo: Mapping[str, Any]) -> None:
        write_private(self.demo_path, json.dumps(demo, indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Writes a file atomically (by a rename), readable by its owner only."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
        file.write(text)
    beside.replace(path)
