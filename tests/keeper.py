"""Services shared by all processes of a test run (xdist): the first that needs one starts it.

A keeper process owns the service. Every test process holds a shared file lock; the keeper waits for
the exclusive one, which the kernel grants when the last of them has ended, killed or not. Then it
stops the service.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from local.children import wait_until
from tests import services
from tests.services import MissingProgramError, S3Settings

UP_WITHIN_S = 180  # Ceph, on a machine that does other things too
Start = Callable[[Path], AbstractContextManager[Any]]

_begun: list[subprocess.Popen[bytes]] = []
KINDS: Mapping[str, Start] = {
    "postgres": services.postgres_server,
    "radosgw": services.radosgw,
    "redis": services.redis_server,  # for this module's own tests: each process has one
}


def folder_of_run(factory: pytest.TempPathFactory) -> Path:
    """A folder for all processes of a run; xdist gives each process a folder within it."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextmanager
def shared(kind: str, folder: Path) -> Iterator[Any]:
    """Starts the service unless a process of this run has; yields its URL or S3 settings.

    Raises:
        MissingProgramError: a program is not on this machine.
    """
    home = folder / f"shared-{kind}"
    home.mkdir(exist_ok=True)
    with _lock(home / "users", fcntl.LOCK_SH):
        with exclusively(home):
            if not _answer(home).exists():
                _begin(kind, home)
        yield _told(home)


@contextmanager
def exclusively(home: Path) -> Iterator[None]:
    """A lock between the run's processes, for what the first does for all."""
    with _lock(home / "turn", fcntl.LOCK_EX):
        yield


@contextmanager
def _lock(path: Path, how: int) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield


def _answer(home: Path) -> Path:
    return home / "answer.json"


def _begin(kind: str, home: Path) -> None:
    """Starts a keeper. It outlives this process: a session of its own, no parent-death signal."""
    with (home / "keeper.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.keeper", kind, str(home)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    _begun.append(child)  # not waited for: it ends after us
    if not wait_until(_answer(home).exists, within_s=UP_WITHIN_S, child=child):
        raise services.ServiceFailedError(kind, home / "keeper.log")


def _told(home: Path) -> Any:
    answer = json.loads(_answer(home).read_text())
    if "missing" in answer:
        raise MissingProgramError(*answer["missing"])
    return S3Settings(**answer["s3"]) if "s3" in answer else answer["url"]


# --- the keeper ----------------------------------------------------------------------------------


def keep(kind: str, home: Path) -> None:
    """Runs the service until no test process uses it; a missing program is told to them all."""
    try:
        with KINDS[kind](Path(tempfile.mkdtemp(dir=home))) as service:
            _tell(home, {"s3": asdict(service)} if kind == "radosgw" else {"url": service})
            _wait_until_unused(home)
    except MissingProgramError as missing:
        _tell(home, {"missing": [missing.program, missing.package]})
        _wait_until_unused(home)


def _tell(home: Path, answer: dict[str, Any]) -> None:
    """Writes the answer atomically, as others wait for the file to exist."""
    unfinished = home / "answer.part"
    unfinished.write_text(json.dumps(answer))
    unfinished.rename(_answer(home))


def _wait_until_unused(home: Path) -> None:
    with _lock(home / "users", fcntl.LOCK_EX):
        _answer(home).unlink()


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]))
