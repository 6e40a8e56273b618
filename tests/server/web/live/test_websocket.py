"""The adapter over flask_sock and simple_websocket: what it promises, and what it leans on."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from queue import Queue
from typing import Any

import pytest
import websocket
from flask import Flask
from simple_websocket import Server
from werkzeug.serving import make_server
from wsproto.events import Ping

from server.web.live.websocket import (
    LARGEST_FRAME_BYTES,
    UNPROMISED,
    ConnectionClosed,
    WebSocket,
    serve,
)
from tests.house.source import ROOT
from tests.waiting import DEADLINE_S, wait_for

Attend = Callable[[WebSocket], None]


@contextmanager
def client(attend: Attend) -> Iterator[websocket.WebSocket]:
    """A client of a server that attends so."""
    app = Flask(__name__)
    serve(app, "/live", attend)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    live_socket = websocket.create_connection(
        f"ws://127.0.0.1:{server.port}/live", timeout=DEADLINE_S
    )
    try:
        yield live_socket
    finally:
        live_socket.shutdown()  # type: ignore[no-untyped-call]  # also where the server closed first
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_says_and_hears_and_closes_with_a_code() -> None:
    def attend(ws: WebSocket) -> None:
        heard = ws.receive(DEADLINE_S)
        ws.send(f"heard {heard!r}")
        ws.close(4400, "enough")

    with client(attend) as live_socket:
        live_socket.send("hello")
        assert live_socket.recv() == "heard 'hello'"
        code, said = live_socket.recv_data()
        assert code == websocket.ABNF.OPCODE_CLOSE
        assert said == (4400).to_bytes(2, "big") + b"enough"


def test_a_frame_is_whole_however_slowly_it_is_read_and_whatever_is_sent_beside() -> None:
    """It is far more than the buffers between both hold, and meanwhile another thread pings."""
    big, under_way = "x" * 3_000_000, threading.Event()

    def attend(ws: WebSocket) -> None:
        sock = ws._server.sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        sock.settimeout(DEADLINE_S)  # then `send` takes what fits, as gevent's does
        beside = threading.Thread(target=ping, args=(ws._server,))
        beside.start()
        ws.send(big)
        beside.join()
        ws.receive(DEADLINE_S)

    def ping(server: Server) -> None:
        wait_for(lambda: not select.select([], [server.sock], [], 0)[1])  # it is under way
        under_way.set()
        for _ in range(20):
            server.sock.send(server.ws.send(Ping()))

    with client(attend) as live_socket:
        assert under_way.wait(DEADLINE_S)
        assert live_socket.recv() == big
        live_socket.send("all of it")


def test_what_comes_unasked_is_dropped_and_counted_and_wakes() -> None:
    told: Queue[Any] = Queue()

    def attend(ws: WebSocket) -> None:
        dropped = 0
        while dropped < 3:
            ws.forget_wakes()
            dropped += ws.drop_unread()
            if dropped < 3:
                ws.wait(DEADLINE_S)
        told.put((dropped, ws.drop_unread(), ws.receive(0.01)))

    with client(attend) as live_socket:
        for _ in range(3):
            live_socket.send("chatter")
        assert told.get(timeout=DEADLINE_S) == (3, 0, None)


def test_another_thread_wakes_it_and_so_does_its_clients_end() -> None:
    told: Queue[Any] = Queue()

    def attend(ws: WebSocket) -> None:
        ws.forget_wakes()
        threading.Timer(0.01, ws.wake).start()
        ws.wait(60)
        told.put(ws.connected)
        while ws.connected:
            ws.forget_wakes()
            if ws.connected:
                ws.wait(60)
        with pytest.raises(ConnectionClosed):
            ws.send("too late")
        told.put("gone")

    with client(attend) as live_socket:
        assert told.get(timeout=DEADLINE_S) is True
        live_socket.close()
        assert told.get(timeout=DEADLINE_S) == "gone"


def test_a_frame_that_is_too_large_ends_it() -> None:
    told: Queue[Any] = Queue()
    with client(lambda ws: told.put(wait_for(lambda: not ws.connected))) as live_socket:
        live_socket.send("x" * (LARGEST_FRAME_BYTES + 1))
        code, said = live_socket.recv_data()
        assert (code, said[:2]) == (websocket.ABNF.OPCODE_CLOSE, (1009).to_bytes(2, "big"))


def test_what_it_leans_on_is_there_and_pinned() -> None:
    """Decision 0029: an upgrade that moves one of these must fail here first."""
    told: Queue[Server] = Queue()
    with client(lambda ws: told.put(ws._server)) as live_socket:
        live_socket.send("hello")
        server = told.get(timeout=DEADLINE_S)
    assert [name for name in UNPROMISED if name not in vars(server)] == []
    assert (
        f"simple-websocket=={version('simple-websocket')} "
        in (ROOT / "requirements.txt").read_text()
    )
