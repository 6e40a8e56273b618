"""One client's WebSocket: the only place that knows flask_sock and simple_websocket.

Owns frames, bytes and their pace, not what is said in them. It leans on `UNPROMISED` parts of
simple_websocket, hence the exact pin (docs/decisions/0029-the-sockets-insides.md).
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
READ_BYTES = 512  # a hello is smaller; who floods is slowed before he has cost much
UNREAD_BYTES = 16_384  # the kernel would keep megabytes for each who floods
STUCK_MS = 45_000  # a phone that takes nothing for this long is gone

# Of a Server of simple_websocket 1.1: set when a message came or the socket ended; what came and
# was not received; what it reads from and writes to.
UNPROMISED = ("event", "input_buffer", "sock")


class WebSocket:
    """Open until `connected` is False. `send`, `receive` and `close` raise ConnectionClosed."""

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
        """The next message; None where none comes in time."""
        message: str | bytes | None = self._server.receive(timeout=timeout_s)
        return message

    def close(self, code: int, reason: str) -> None:
        self._server.close(code, reason)

    def wake(self) -> None:
        """Ends a `wait`, as a message and the socket's end do. Any thread may call it."""
        self._server.event.set()

    def forget_wakes(self) -> None:
        self._server.event.clear()

    def wait(self, timeout_s: float) -> None:
        self._server.event.wait(timeout_s)

    def drop_unread(self) -> int:
        """How many messages came and are received by nobody any more."""
        heard = len(self._server.input_buffer)
        del self._server.input_buffer[:heard]
        return heard


def serve(app: Flask, path: str, attend: Callable[[WebSocket], None]) -> None:
    """Every client of this path is attended until `attend` returns."""
    app.config["SOCK_SERVER_OPTIONS"] = {
        "ping_interval": PING_S,
        "max_message_size": LARGEST_FRAME_BYTES,
        "receive_bytes": READ_BYTES,
    }

    @wraps(attend)  # with what `auth.allow` leaves on a view
    def view(server: Server) -> None:
        attend(WebSocket(server))

    Sock(app).route(path)(view)


class _WholeFrames:
    """A socket whose `send` sends everything, one frame after another, and which is read at a pace.

    simple_websocket calls `send` once and looks away: a full buffer would cut a frame short, and
    a ping could go out in the middle of one.
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
