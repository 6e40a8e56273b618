"""WebSocket transport: the only module that knows flask_sock and simple_websocket.

Owns frames, buffers and throttling; must not know what messages mean. It relies on undocumented
attributes of simple_websocket (`UNPROMISED`), hence the exact pin
(docs/decisions/0029-the-sockets-insides.md).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask
from flask_sock import Sock
from simple_websocket import ConnectionClosed, Server

from server.web.live.chatter import Pace

PING_S = 25
LARGEST_FRAME_BYTES = 4096
READ_BYTES = 512  # per read; a hello is smaller, and small reads throttle a flood early
UNREAD_BYTES = 16_384  # receive buffer; the kernel's default is megabytes for each flooding client
STUCK_MS = 45_000  # unacknowledged for this long: the client is gone

# Attributes of simple_websocket 1.1's Server: an event, set when a message arrives or the socket
# ends; the messages not yet received; the socket that it reads from and writes to.
UNPROMISED = ("event", "input_buffer", "sock")


class WebSocket:
    """One client's socket, open while `connected`. Only `wake` may be called from other threads.

    `send`, `receive` and `close` raise ConnectionClosed.
    """

    def __init__(self, server: Server):
        self._server = server
        sock: socket.socket = server.sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT") and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STUCK_MS)
        server.sock = _WholeFrames(sock)

    @property
    def connected(self) -> bool:
        return bool(self._server.connected)

    def send(self, message: str) -> None:
        self._server.send(message)

    def receive(self, timeout_s: float) -> str | bytes | None:
        """The next message; None if none arrives within `timeout_s`."""
        message: str | bytes | None = self._server.receive(timeout=timeout_s)
        return message

    def close(self, code: int, reason: str) -> None:
        self._server.close(code, reason)

    def wake(self) -> None:
        """Ends a `wait`, as an incoming message or the socket's end does."""
        self._server.event.set()

    def forget_wakes(self) -> None:
        """Clears the event that `wait` waits for."""
        self._server.event.clear()

    def wait(self, timeout_s: float) -> None:
        self._server.event.wait(timeout_s)

    def drop_unread(self) -> int:
        """Discards the messages that have arrived; returns how many."""
        heard = len(self._server.input_buffer)
        del self._server.input_buffer[:heard]
        return heard


def serve(app: Flask, path: str, attend: Callable[[WebSocket], None]) -> None:
    """Routes WebSocket connections of this path to `attend`; each closes when that returns."""
    app.config["SOCK_SERVER_OPTIONS"] = {
        "ping_interval": PING_S,
        "max_message_size": LARGEST_FRAME_BYTES,
        "receive_bytes": READ_BYTES,
    }

    @wraps(attend)  # keeps the `callers` attribute
    def view(server: Server) -> None:
        attend(WebSocket(server))

    Sock(app).route(path)(view)


class _WholeFrames:
    """Socket wrapper: `send` sends everything, one frame at a time, and `recv` is throttled.

    simple_websocket calls `send` once and ignores how much was sent: with a full buffer a frame
    would be cut, and its own thread could write a ping into the middle of another frame.
    """

    def __init__(self, sock: socket.socket):
        self._sock = sock
        self._lock = threading.Lock()
        self._pace = Pace()

    def recv(self, size: int) -> bytes:
        self._pace.wait()
        return self._sock.recv(size)

    def send(self, data: bytes) -> int:
        with self._lock:
            self._sock.sendall(data)
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


__all__ = ["PING_S", "UNPROMISED", "ConnectionClosed", "WebSocket", "serve"]
