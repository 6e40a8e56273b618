"""From Redis to the outboxes: one listener and one teller for each server process.

The listener hears nudges; the teller reads each row once, whatever the number of nudges and of
sockets, and offers it. Knows no WebSocket.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gpu_worker.contract import Backoff, ContractError, Nudge, each_alone, forever
from server.domain import audiences
from server.infra.errors import Unavailable
from server.infra.kinds import KINDS, Row
from server.infra.nudges import Heard, Listener, Owner
from server.infra.services import Services
from server.web.live.hub import Hub, Outbox, Voice
from server.web.live.messages import Speaker

log = logging.getLogger(__name__)

AWAY = (RedisError, Unavailable, SQLAlchemyError, OSError)
LISTEN_S = 0.5
REST_S = 0.1
SHOPPERS_AT_ONCE = 200


class Feed:
    """Keeps every open socket of this process as true as the rows are."""

    def __init__(
        self,
        services: Services,
        hub: Hub,
        redis: Redis,
        surround: Callable[[], AbstractContextManager[object]] = nullcontext,
    ):
        """`surround`: what its threads run in, the app's context: sentences ask for settings."""
        self._services = services
        self._surround = surround
        self._hub = hub
        self._listener = Listener(redis)
        self._speaker = Speaker(services.store)
        self._lock = threading.Lock()
        self._nudged: dict[str, Nudge] = {}
        self._restate = False
        self._work = threading.Event()
        self._started = False
        self._is_ending: Callable[[], bool] = lambda: False

    def watch(self, is_ending: Callable[[], bool]) -> None:
        """How to find out that this process is about to end; sockets are then closed with 1012."""
        self._is_ending = is_ending

    def start(self) -> None:
        """With the first socket, and so after the server has forked."""
        with self._lock:
            if self._started:
                return
            self._started = True
        for turn in (self.listen, self.tell):
            threading.Thread(target=self._repeat, args=(turn,), daemon=True).start()

    def _repeat(self, turn: Callable[[], None]) -> None:
        says = "live feed waits: %(error)s"
        with self._surround():
            forever(turn, Backoff(log, AWAY, says, REST_S, REST_S, "live feed", REST_S))

    # --- hearing ---------------------------------------------------------------------------------

    def listen(self) -> None:
        """One turn of the listener. Raises RedisError while Redis is away."""
        if self._is_ending() and not self._hub.closing:
            self._hub.close_all()
        self.hear(self._listener.listen(LISTEN_S))

    def hear(self, heard: Heard) -> None:
        """Notes what was heard for the teller's next turn."""
        if not heard.nudges and not heard.subscribed:
            return
        with self._lock:
            self._restate = self._restate or heard.subscribed
            for nudge in heard.nudges:
                known = self._nudged.get(nudge.id)
                if known is None or known.version < nudge.version:
                    self._nudged[nudge.id] = nudge
        self._work.set()

    # --- telling ---------------------------------------------------------------------------------

    def tell(self, wait_s: float | None = None) -> None:
        """One turn of the teller. Raises Unavailable, and keeps its work, while the rows cannot
        be read."""
        self._work.wait(wait_s)
        self._work.clear()
        with self._lock:
            nudged, self._nudged = self._nudged, {}
            restate, self._restate = self._restate, False
        try:
            if restate:
                self._tell_all()
            self._tell_nudged(nudged)
        except AWAY:
            self.hear(Heard(restate, list(nudged.values())))
            raise

    def tell_state(self, outbox: Outbox) -> None:
        """The present state, for a socket that has just joined. Raises Unavailable."""
        with self._services.read() as session:
            rows = audiences.state(session, outbox.channel, datetime.now(UTC))
            for row_id, version, messages in self._speaker.state(session, rows, outbox.voice):
                outbox.offer(row_id, version, messages)
                _breathe()

    def _tell_nudged(self, nudged: dict[str, Nudge]) -> None:
        heeded = {
            row_id: (nudge, channels)
            for row_id, nudge in nudged.items()
            if self._hub.members(channels := _channels_of(nudge))
        }
        if not heeded:
            return
        with self._services.read() as session:
            found = audiences.by_id(session, heeded)

            def tell(row_id: str) -> None:
                self._tell_one(session, found.get(row_id), *heeded[row_id])

            for row_id, error in each_alone(heeded, tell, AWAY):
                if error is not None:
                    log.error("cannot tell of %s", row_id, exc_info=error)

    def _tell_one(
        self, session: Session, row: Row | None, nudge: Nudge, channels: list[str]
    ) -> None:
        if row is None:
            self._hub.offer(
                channels,
                nudge.id,
                nudge.version,
                lambda voice: self._speaker.gone(nudge.id, nudge.version, voice),
            )
        else:
            self._tell_row(session, row, channels)

    def _tell_row(self, session: Session, row: Row, channels_if_gone: Iterable[str] = ()) -> None:
        channels = list(channels_if_gone) if audiences.is_gone(row) else audiences.channels_for(row)

        def say(voice: Voice) -> list[str]:
            return list(self._speaker.say(session, row, voice))

        self._hub.offer(channels, row.id, row.version, say)
        _breathe()

    # --- after a silence -------------------------------------------------------------------------

    def _tell_all(self) -> None:
        """Nudges may have been lost: every open socket is told all that it has not heard."""
        channels = self._hub.channels()
        shoppers = [
            channel.removeprefix("shopper:")
            for channel in channels
            if channel.startswith("shopper:")
        ]
        now = datetime.now(UTC)
        for start in range(0, len(shoppers), SHOPPERS_AT_ONCE):
            some = shoppers[start : start + SHOPPERS_AT_ONCE]
            with self._services.read() as session:
                for row in audiences.state_of_shoppers(session, some, now):
                    self._tell_row(session, row)
        for channel in channels:
            if not channel.startswith("shopper:"):
                with self._services.read() as session:
                    for row in audiences.state(session, channel, now):
                        self._tell_row(session, row)
        self._tell_what_vanished(channels)

    def _tell_what_vanished(self, channels: list[str]) -> None:
        """Rows that a socket has heard of and that were deleted meanwhile."""
        members = self._hub.members(channels)
        told = {row_id for outbox in members for row_id in outbox.versions()}
        known = {row_id for row_id in told if KINDS.of_id(row_id) is not None}
        with self._services.read() as session:
            found = audiences.by_id(session, known)
            for outbox in members:
                for row_id, version in outbox.versions().items():
                    row = found.get(row_id)
                    if row is not None and audiences.is_gone(row):
                        said = self._speaker.say(session, row, outbox.voice)
                        outbox.offer(row_id, row.version, said)
                    elif row is None and row_id in known:
                        said = self._speaker.gone(row_id, version + 1, outbox.voice)
                        outbox.offer(row_id, version + 1, said)


def _breathe() -> None:
    """Rendering is work: under gevent the other greenlets have their turn after each row."""
    time.sleep(0)


def _channels_of(nudge: Nudge) -> list[str]:
    try:
        return audiences.channels_of(nudge.id, Owner.parse(nudge.owner))
    except ContractError:
        log.warning("a nudge of nobody: %s", nudge.to_text())
        return []
