"""The live socket, `WS /v1/live`: the door, and the only flask_sock.

Owns the handshake, the close codes and the sending. What is sent: messages.py; to whom: hub.py;
when: feed.py.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Self

from flask import Flask, current_app, request
from flask_sock import Sock
from redis.exceptions import RedisError
from simple_websocket import ConnectionClosed, Server

from server import auth
from server.config import Settings
from server.domain import dashboard_sessions
from server.domain.audiences import channel_of
from server.infra import jobs
from server.infra.caller import Caller
from server.infra.errors import Unavailable
from server.infra.services import EXTENSION as SERVICES
from server.infra.services import Services, current_services
from server.models import now
from server.web.live.chatter import Pace, Window
from server.web.live.feed import Feed
from server.web.live.hub import Format, Hub, Outbox, Voice
from server.web.live.seats import Seats

log = logging.getLogger(__name__)

EXTENSION = "proteus_live"
PATH = "/v1/live"

HELLO_S = 5.0
PING_S = 25
LARGEST_FRAME_BYTES = 4096
READ_BYTES = 512  # a hello is smaller; who floods is slowed before he has cost much
UNREAD_BYTES = 16_384  # the kernel would keep megabytes for each who floods
IDLE_S = 30.0  # a handler looks up this often even if nothing wakes it
STUCK_MS = 45_000  # a phone that takes nothing for this long is gone

BAD_FRAME, BAD_TICKET, BAD_ORIGIN, TOO_MANY = 4400, 4401, 4403, 4429
FAILED, COME_AGAIN = 1011, 1012  # after these htmx's ws extension reconnects

CALLERS = ("shopper", "secret", "user")


class ClosingError(Exception):
    """Ends a socket with a code that says what the client should do."""

    def __init__(self, code: int, reason: str):
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Live:
    """What the sockets of one app share."""

    hub: Hub
    feed: Feed
    seats: Seats

    @classmethod
    def over(cls, services: Services, app: Flask) -> Self:
        hub = Hub(services.settings.max_sockets)
        # A client of its own: its one connection is held for ever.
        feed = Feed(services, hub, jobs.connect(services.settings.redis_url), app.app_context)
        return cls(hub, feed, Seats(services.redis))

    def watch(self, is_ending: Callable[[], bool]) -> None:
        """The server's process says how to find out that it ends (gunicorn: `not worker.alive`)."""
        self.feed.watch(is_ending)


def register(app: Flask, _settings: Settings) -> None:
    app.extensions[EXTENSION] = Live.over(app.extensions[SERVICES], app)
    app.config["SOCK_SERVER_OPTIONS"] = {
        "ping_interval": PING_S,
        "max_message_size": LARGEST_FRAME_BYTES,
        "receive_bytes": READ_BYTES,
    }
    Sock(app).route(PATH)(live)


def live(ws: Server) -> None:
    """One socket, from its handshake to its end. Its slot is free again when this returns."""
    shared: Live = current_app.extensions[EXTENSION]
    _whole_frames(ws)
    entered = shared.hub.enter()
    try:
        if not entered:
            raise ClosingError(TOO_MANY, "too many open sockets, try again later")
        _attend(ws, shared)
    except ClosingError as closing:
        ws.close(closing.code, closing.reason)
    except (RedisError, Unavailable) as error:
        log.warning("a live socket is sent away: %s", error)
        ws.close(COME_AGAIN, "temporarily unavailable")
    except ConnectionClosed:
        pass
    except Exception:
        log.exception("a live socket fails")
        ws.close(FAILED, "internal error")
    finally:
        if entered:
            shared.hub.exit()


live.callers = CALLERS  # type: ignore[attr-defined]  # as `auth.allow` leaves them on a view


def _attend(ws: Server, shared: Live) -> None:
    """Of an address from the handshake on: one that says nothing is open as well."""
    services, seats = current_services(), shared.seats
    seats.start()
    with _seated(seats, f"at:{auth.address_mark(services)}", services.settings.sockets_per_address):
        _refuse_foreign_pages()
        caller, voice = _hello(ws, shared.hub)
        with _seat_of(seats, caller, services.settings.sockets_per_shopper):
            _tell(ws, shared, Outbox(channel_of(caller), voice, ws.event.set), caller)


@contextmanager
def _seated(seats: Seats, caller: str, most: int) -> Iterator[None]:
    seat = seats.take(caller, most)
    if seat is None:
        raise ClosingError(TOO_MANY, "too many open sockets, close one or try again later")
    try:
        yield
    finally:
        seats.leave(seat)


def _seat_of(seats: Seats, caller: Caller, most: int) -> AbstractContextManager[None]:
    """People of the dashboard and backends are counted by address alone."""
    if caller.shopper_id is None:
        return nullcontext()
    return _seated(seats, f"of:{caller.shopper_id}", most)


def _tell(ws: Server, shared: Live, outbox: Outbox, caller: Caller) -> None:
    shared.hub.join(outbox)
    shared.feed.start()
    try:
        shared.feed.tell_state(outbox)
        _send_until_closed(ws, outbox, shared.hub, caller)
    finally:
        shared.hub.leave(outbox)


def _send_until_closed(ws: Server, outbox: Outbox, hub: Hub, caller: Caller) -> None:
    """Waits on the socket's own event, which its end sets too: a dead socket leaves its slot.

    After a while it must come again with a new ticket: who was let in may since have lost her key.
    """
    settings = current_services().settings
    until, said = time.monotonic() + settings.socket_life_s, Window()
    while ws.connected and not hub.closing and time.monotonic() < until:
        ws.event.clear()
        _refuse_logged_out(caller)
        for message in outbox.take():
            ws.send(message)
        _pass_over(ws, said, settings.socket_messages)
        if ws.connected and not hub.closing:
            ws.event.wait(max(0.0, min(IDLE_S, until - time.monotonic())))
    if hub.closing:
        raise ClosingError(COME_AGAIN, "the server restarts")
    if ws.connected:
        raise ClosingError(COME_AGAIN, "come again with a new ticket")


def _refuse_logged_out(caller: Caller) -> None:
    """Before each word to a page of the dashboard: its session may have ended a moment ago."""
    if caller.session_id is None:
        return
    try:
        is_open = dashboard_sessions.is_open(current_services(), caller.session_id, now())
    except Unavailable:
        return  # nobody can log out meanwhile, and there is nothing new to tell
    if not is_open:
        raise ClosingError(COME_AGAIN, "come again with a new ticket")


def _pass_over(ws: Server, said: Window, most: int) -> None:
    """After its hello a client has nothing to say."""
    heard = len(ws.input_buffer)
    del ws.input_buffer[:heard]
    if said.count(heard, time.monotonic()) > most:
        raise ClosingError(TOO_MANY, "too many messages")


# --- who is there --------------------------------------------------------------------------------


def _refuse_foreign_pages() -> None:
    """A browser always says its Origin, and only our own pages hold tickets."""
    origin = request.headers.get("Origin")
    if origin is not None and origin != current_services().settings.server_url:
        raise ClosingError(BAD_ORIGIN, "origin not allowed")


def _hello(ws: Server, hub: Hub) -> tuple[Caller, Voice]:
    ticket, wanted = _parse_hello(_first_frame(ws, hub))
    caller = auth.redeem_live_ticket(current_services(), ticket)
    if caller is None or caller.kind == "embed":
        raise ClosingError(BAD_TICKET, "the ticket is unknown, used or too old")
    if caller.kind != "secret" and "Origin" not in request.headers:
        raise ClosingError(BAD_ORIGIN, "pages say their origin")
    if caller.kind == "secret" and wanted == "html":
        raise ClosingError(BAD_FRAME, "secret keys are spoken to in json")
    if caller.kind == "user" and wanted == "json":
        raise ClosingError(BAD_FRAME, "the dashboard's pages are spoken to in html")
    return caller, Voice(wanted, caller.kind)


def _first_frame(ws: Server, hub: Hub) -> str | bytes:
    until = time.monotonic() + HELLO_S
    while not hub.closing:
        left = until - time.monotonic()
        if left <= 0:
            raise ClosingError(BAD_TICKET, f"no hello within {HELLO_S:g} s")
        frame: str | bytes | None = ws.receive(timeout=min(left, 0.5))
        if frame is not None:
            return frame
    raise ClosingError(COME_AGAIN, "the server restarts")


def _parse_hello(frame: str | bytes) -> tuple[str, Format]:
    try:
        hello: Any = json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise ClosingError(BAD_FRAME, "the first frame is not JSON") from error
    if not isinstance(hello, dict) or hello.get("type") != "hello":
        raise ClosingError(BAD_FRAME, "the first frame says hello")
    ticket, wanted = hello.get("ticket"), hello.get("format", "json")
    if not isinstance(ticket, str) or not ticket.isascii() or wanted not in ("html", "json"):
        raise ClosingError(BAD_FRAME, "a hello has a ticket, and html or json as its format")
    return ticket, wanted


# --- sending -------------------------------------------------------------------------------------


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

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


def _whole_frames(ws: Server) -> None:
    sock: socket.socket = ws.sock
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT") and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STUCK_MS)
    ws.sock = _WholeFrames(sock)


__all__ = ["EXTENSION", "Live", "register"]
