"""Runs the local stack for a benchmark, on free ports and with data of its own.

Knows how to start the stack and its `demo.json`; nothing of what is measured.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A running stack. demo: the content of `demo.json`; env: the worker's environment, to reach
    its Redis."""

    demo: dict[str, Any]
    env: dict[str, str]

    @property
    def server_url(self) -> str:
        return str(self.demo["server_url"])

    @property
    def origin(self) -> str:
        return str(self.demo["shop_url"]).rstrip("/")


# A benchmark's many shoppers call from one address.
UNLIMITED = dict.fromkeys(
    (
        "PROTEUS_RATE_LIMIT", "PROTEUS_SHOPPER_LIMIT", "PROTEUS_ADDRESS_LIMIT",
        "PROTEUS_SITE_LIMIT", "PROTEUS_BOOT_LIMIT", "PROTEUS_SOCKETS_PER_ADDRESS",
    ),
    "1000000",
)  # fmt: skip


@contextmanager
def running_stack(**settings: str) -> Iterator[RunningStack]:
    """Starts `python -m local` with these settings; ready when this yields."""
    with tempfile.TemporaryDirectory(prefix="proteus-bench-") as home:
        env = {**os.environ, "PROTEUS_HOME": home, **_free_ports("PORT", "SHOP_PORT")}
        env |= UNLIMITED | settings
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "--parent", str(os.getpid())],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            _wait_until_ready(process)
            demo = json.loads((Path(home) / "demo.json").read_text())
            yield RunningStack(demo, environment_of(demo["processes"]["worker"]))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


def _free_ports(*names: str) -> dict[str, str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    try:
        return {n: str(s.getsockname()[1]) for n, s in zip(names, sockets, strict=True)}
    finally:
        for taken in sockets:
            taken.close()


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("proteus: ready"):
        raise SystemExit(f"the stack did not start: exit code {process.wait(PATIENCE_S)}")


def environment_of(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)
