"""A confined child for the tests: does what its head asks, honest or not."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpu_worker.confined.child import serve

Found = tuple[dict[str, Any], bytes]


def echo(head: dict[str, Any], body: bytes) -> Found:
    return {**head, "pid": os.getpid()}, body


def spin(_head: dict[str, Any], _body: bytes) -> Found:
    while True:
        sum(range(1000))


def sleep(head: dict[str, Any], _body: bytes) -> Found:
    Path(head["mark"]).write_text(str(os.getpid()))
    time.sleep(3600)
    return {}, b""


def eat(head: dict[str, Any], _body: bytes) -> Found:
    return {"eaten": len(bytearray(head["bytes"]))}, b""


def die(head: dict[str, Any], _body: bytes) -> Found:
    """By a signal; `once`: a file that says whether it happened before."""
    once = head.get("once")
    if once is None or not Path(once).exists():
        if once is not None:
            Path(once).touch()
        os.kill(os.getpid(), signal.Signals[head["signal"]])
    return {}, b""


def garble(_head: dict[str, Any], _body: bytes) -> Found:
    return _write_by_hand(b'{"said":{},"bytes":99999999999}\n')


def chatter(_head: dict[str, Any], _body: bytes) -> Found:
    return _write_by_hand(b"x" * 100_000)


def _write_by_hand(said: bytes) -> Found:
    """Into the pipe of the answers: the one after the first three that can be written to."""
    for fd in range(3, 16):
        with suppress(OSError):
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                os.write(fd, said)
    time.sleep(3600)
    return {}, b""


def reach(_head: dict[str, Any], _body: bytes) -> Found:
    """What this process can still get at."""
    return {
        "environment": dict(os.environ),
        "file": _attempt(lambda: Path("/etc/hostname").read_bytes()),
        "socket": _attempt(socket.socket),
        "descriptors": [fd for fd in range(256) if _is_open(fd)],
    }, b""


def _attempt(what: Callable[[], object]) -> str:
    try:
        what()
    except OSError as error:
        return str(error.errno)
    return "done"


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def fail(_head: dict[str, Any], _body: bytes) -> Found:
    raise LookupError("no such thing")


CHORES = {f.__name__: f for f in (echo, spin, sleep, eat, die, garble, chatter, reach, fail)}

if __name__ == "__main__":
    print("what a library prints at the start")
    serve(lambda head, body: CHORES[head["do"]](head, body))
    sys.exit()
