"""The live WebSocket, `WS /v1/live`: handshake, close codes, and the sending loop of each socket.

Messages are rendered in messages.py, routed in hub.py, triggered in feed.py; websocket.py is the
transport, seats.py limits sockets per caller.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Self

from flask import Flask, current_app, request
from redis.exceptions import RedisError

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
from server.web.live.chatter import Window
from server.web.live.feed import Feed
from server.web.live.hub import Format, Hub, Outbox, Voice
from server.web.live.seats import Seats
from server.web.live.websocket import ConnectionClosed, WebSocket, serve

log = logging.getLogger(__name__)

EXTENSION = "proteus_live"
PATH = "/v1/live"

HELLO_S = 5.0  # how long a client has for its first frame
IDLE_S = 30.0  # a handler checks its socket at least this often, even if nothing wakes it

BAD_FRAME, BAD_TICKET, BAD_ORIGIN, TOO_MANY = 4400, 4401, 4403, 4429
FAILED, COME_AGAIN = 1011, 1012  # after these htmx's ws extension reconnects

CALLERS = ("shopper", "secret", "user")


class ClosingError(Exception):
    """Closes the socket with this close code, which tells the client what to do."""

    def __init__(self, code: int, reason: str):
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Live:
    """What all sockets of one process share; created with the app."""

    hub: Hub
    feed: Feed
    seats: Seats

    @classmethod
    def over(cls, services: Services, app: Flask) -> Self:
        hub = Hub(services.settings.max_sockets)
        # A Redis client of its own: the subscription keeps its connection for good.
        feed = Feed(services, hub, jobs.connect(services.settings.redis_url), app.app_context)
        return cls(hub, feed, Seats(services.redis))

    def watch(self, is_ending: Callable[[], bool]) -> None:
        """`is_ending`: whether this process is shutting down (gunicorn: `not worker.alive`)."""
        self.feed.watch(is_ending)


def register(app: Flask, _settings: Settings) -> None:
    app.extensions[EXTENSION] = Live.over(app.extensions[SERVICES], app)
    serve(app, PATH, live)


def live(ws: WebSocket) -> None:
    """Handler of one socket, from its handshake to its close. Its slot is free again on return."""
    shared: Live = current_app.extensions[EXTENSION]
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
    except Exception:  # the socket's edge: with 1011 its page reconnects
        log.exception("a live socket fails")
        ws.close(FAILED, "internal error")
    finally:
        if entered:
            shared.hub.exit()


live.callers = CALLERS  # type: ignore[attr-defined]  # as `auth.allow` sets them on a view


def _attend(ws: WebSocket, shared: Live) -> None:
    """Authenticates and serves one socket. It counts against its address from the handshake on, so
    that sockets that never say hello are limited, too."""
    services, seats = current_services(), shared.seats
    seats.start()
    with _seated(seats, f"at:{auth.address_mark(services)}", services.settings.sockets_per_address):
        _refuse_foreign_pages()
        caller, voice = _hello(ws, shared.hub)
        with _seat_of(seats, caller, services.settings.sockets_per_shopper):
            _tell(ws, shared, Outbox(channel_of(caller), voice, ws.wake), caller)


@contextmanager
def _seated(seats: Seats, caller: str, most: int) -> Iterator[None]:
    """Holds one of `most` seats; closes the socket with 4429 if all are taken."""
    seat = seats.take(caller, most)
    if seat is None:
        raise ClosingError(TOO_MANY, "too many open sockets, close one or try again later")
    try:
        yield
    finally:
        seats.leave(seat)


def _seat_of(seats: Seats, caller: Caller, most: int) -> AbstractContextManager[None]:
    """A seat per shopper. Dashboard users and backends are limited by address only."""
    if caller.shopper_id is None:
        return nullcontext()
    return _seated(seats, f"of:{caller.shopper_id}", most)


def _tell(ws: WebSocket, shared: Live, outbox: Outbox, caller: Caller) -> None:
    # Join before the state is read, so that no change in between is lost; versions drop repeats.
    shared.hub.join(outbox)
    shared.feed.start()
    try:
        shared.feed.tell_state(outbox)
        _send_until_closed(ws, outbox, shared.hub, caller)
    finally:
        shared.hub.leave(outbox)


def _send_until_closed(ws: WebSocket, outbox: Outbox, hub: Hub, caller: Caller) -> None:
    """The sending loop: waits for messages or the socket's end, sends, and checks that the caller
    may still listen.

    After PROTEUS_SOCKET_LIFE_S the client must reconnect with a new ticket, because its key or
    token may have been revoked since.
    """
    settings = current_services().settings
    until, said = time.monotonic() + settings.socket_life_s, Window()
    while ws.connected and not hub.closing and time.monotonic() < until:
        ws.forget_wakes()  # before the outbox is read, or a wake in between would be lost
        _refuse_logged_out(caller)
        for message in outbox.take():
            ws.send(message)
        _pass_over(ws, said, settings.socket_messages)
        if ws.connected and not hub.closing:
            ws.wait(max(0.0, min(IDLE_S, until - time.monotonic())))
    if hub.closing:
        raise ClosingError(COME_AGAIN, "the server restarts")
    if ws.connected:
        raise ClosingError(COME_AGAIN, "come again with a new ticket")


def _refuse_logged_out(caller: Caller) -> None:
    """Closes a dashboard socket whose login session has ended. Called before each sending."""
    if caller.session_id is None:
        return
    try:
        is_open = dashboard_sessions.is_open(current_services(), caller.session_id, now())
    except Unavailable:
        return  # without the database nobody can log out, and no row changes either
    if not is_open:
        raise ClosingError(COME_AGAIN, "come again with a new ticket")


def _pass_over(ws: WebSocket, said: Window, most: int) -> None:
    """Drops what a client sends after its hello, where the protocol has nothing for it; closes with
    4429 above `most` messages in a window."""
    if said.count(ws.drop_unread(), time.monotonic()) > most:
        raise ClosingError(TOO_MANY, "too many messages")


# --- handshake -----------------------------------------------------------------------------------


def _refuse_foreign_pages() -> None:
    """Cross-site WebSocket hijacking: browsers always send Origin, and only our own pages may have
    a ticket. Without an Origin it is no browser."""
    origin = request.headers.get("Origin")
    if origin is not None and origin != current_services().settings.server_url:
        raise ClosingError(BAD_ORIGIN, "origin not allowed")


def _hello(ws: WebSocket, hub: Hub) -> tuple[Caller, Voice]:
    """Reads the hello, redeems its ticket, and checks that the format fits the caller."""
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


def _first_frame(ws: WebSocket, hub: Hub) -> str | bytes:
    until = time.monotonic() + HELLO_S
    while not hub.closing:
        left = until - time.monotonic()
        if left <= 0:
            raise ClosingError(BAD_TICKET, f"no hello within {HELLO_S:g} s")
        frame = ws.receive(min(left, 0.5))
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


__all__ = ["EXTENSION", "Live", "register"]
