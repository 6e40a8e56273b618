"""The whole service as a test starts it: `python -m local` in a folder of its own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from local.children import free_port
from tests import marks

UP_WITHIN_S = 90  # on a machine that does other things too
FEW = {"PROTEUS_WEB_WORKERS": "1", "PROTEUS_FETCHES": "2"}  # each is a process


class Launcher:
    """One running `python -m local`, with its home folder, ports and child processes."""

    def __init__(self, home: Path, env: Mapping[str, str]):
        self.home, self.port, self.shop_port = home, free_port(), free_port()
        self.process = _launch(home, self.port, self.shop_port, env)

    def line(self) -> str:
        assert self.process.stdout
        readable, _, _ = select.select([self.process.stdout], [], [], UP_WITHIN_S)
        assert readable, self.logs()
        return self.process.stdout.readline().decode()

    def demo(self) -> dict[str, Any]:
        return dict(json.loads((self.home / "demo.json").read_text()))

    def pid(self, name: str) -> int:
        return int(self.demo()["processes"][name])

    def everybody(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def logs(self) -> str:
        return (self.home / "stderr").read_text()

    def end(self) -> None:
        assert self.process.stdout
        with self.process.stdout:
            if self.process.poll() is None:
                self.end_by(signal.SIGTERM)

    def end_by(self, number: signal.Signals) -> None:
        """Sends the signal and checks that every process ends and nothing is printed."""
        everybody = self.everybody()
        self.process.send_signal(number)
        assert self.process.wait(30) == 0, self.logs()
        assert all_gone(everybody), everybody
        assert not (self.home / "demo.json").exists()
        assert self.process.stdout
        assert self.process.stdout.read() == b"", "one line and no more on standard output"


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def _launch(
    home: Path, port: int, shop_port: int, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    marks.require("process")
    home.mkdir(exist_ok=True)
    own = {"PROTEUS_HOME": str(home), "PORT": str(port), "SHOP_PORT": str(shop_port)}
    with (home / "stderr").open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "local", "--parent", str(os.getpid())],
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**_neutral_environment(), **FEW, **own, **env},
        )


def _neutral_environment() -> dict[str, str]:
    """This process's environment without Proteus's own variables."""
    ours = ("AWS_", "DATABASE_URL", "PROTEUS_", "REDIS_URL", "S3_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@contextmanager
def launched(home: Path, **env: str) -> Iterator[Launcher]:
    launcher = Launcher(home, env)
    try:
        yield launcher
    finally:
        launcher.end()
