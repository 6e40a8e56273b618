"""The live socket, `WS /v1/live`: the door.

Owns the handshake, the close codes and the sending. What is sent: messages.py; to whom: hub.py;
when: feed.py; over what: websocket.py.
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
from server.web.live.websocket import PING_S, ConnectionClosed, WebSocket, serve

log = logging.getLogger(__name__)

EXTENSION = "proteus_live"
PATH = "/v1/live"

HELLO_S = 5.0
IDLE_S = 30.0  # a handler looks up this often even if nothing wakes it

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
    serve(app, PATH, live)


def live(ws: WebSocket) -> None:
    """One socket, from its handshake to its end. Its slot is free again when this returns."""
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
    except Exception:  # the socket's edge: its page shall come again
        log.exception("a live socket fails")
        ws.close(FAILED, "internal error")
    finally:
        if entered:
            shared.hub.exit()


live.callers = CALLERS  # type: ignore[attr-defined]  # as `auth.allow` leaves them on a view


def _attend(ws: WebSocket, shared: Live) -> None:
    """Of an address from the handshake on: one that says nothing is open as well."""
    services, seats = current_services(), shared.seats
    seats.start()
    with _seated(seats, f"at:{auth.address_mark(services)}", services.settings.sockets_per_address):
        _refuse_foreign_pages()
        caller, voice = _hello(ws, shared.hub)
        with _seat_of(seats, caller, services.settings.sockets_per_shopper):
            _tell(ws, shared, Outbox(channel_of(caller), voice, ws.wake), caller)


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


def _tell(ws: WebSocket, shared: Live, outbox: Outbox, caller: Caller) -> None:
    shared.hub.join(outbox)
    shared.feed.start()
    try:
        shared.feed.tell_state(outbox)
        _send_until_closed(ws, outbox, shared.hub, caller)
    finally:
        shared.hub.leave(outbox)


def _send_until_closed(ws: WebSocket, outbox: Outbox, hub: Hub, caller: Caller) -> None:
    """Waits on the socket, whose end wakes it too: a dead socket leaves its slot.

    After a while it must come again with a new ticket: who was let in may since have lost her key.
    """
    settings = current_services().settings
    until, said = time.monotonic() + settings.socket_life_s, Window()
    while ws.connected and not hub.closing and time.monotonic() < until:
        ws.forget_wakes()
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
    """Before each word to a page of the dashboard: its session may have ended a moment ago."""
    if caller.session_id is None:
        return
    try:
        is_open = dashboard_sessions.is_open(current_services(), caller.session_id, now())
    except Unavailable:
        return  # nobody can log out meanwhile, and there is nothing new to tell
    if not is_open:
        raise ClosingError(COME_AGAIN, "come again with a new ticket")


def _pass_over(ws: WebSocket, said: Window, most: int) -> None:
    """After its hello a client has nothing to say."""
    if said.count(ws.drop_unread(), time.monotonic()) > most:
        raise ClosingError(TOO_MANY, "too many messages")


# --- who is there --------------------------------------------------------------------------------


def _refuse_foreign_pages() -> None:
    """A browser always says its Origin, and only our own pages hold tickets."""
    origin = request.headers.get("Origin")
    if origin is not None and origin != current_services().settings.server_url:
        raise ClosingError(BAD_ORIGIN, "origin not allowed")


def _hello(ws: WebSocket, hub: Hub) -> tuple[Caller, Voice]:
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


__all__ = ["EXTENSION", "PING_S", "Live", "register"]
