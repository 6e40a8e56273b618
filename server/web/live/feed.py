"""Fan-out of row changes: from nudges in Redis to the outboxes of this process's sockets.

Two threads per process: `listen` collects nudges, `tell` reads each changed row once, whatever the
number of nudges and sockets, and offers it to the hub. Must not know WebSockets.
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
    """Sends changed rows to the open sockets of one process. `_lock` guards what the listening
    thread hands to the telling one (`_nudged`, `_restate`)."""

    def __init__(
        self,
        services: Services,
        hub: Hub,
        redis: Redis,
        surround: Callable[[], AbstractContextManager[object]] = nullcontext,
    ):
        """`redis`: a client for the subscription alone. `surround`: context manager that the
        threads run in, the app's context, which rendering needs for settings."""
        self._services = services
        self._surround = surround
        self._hub = hub
        self._listener = Listener(redis)
        self._speaker = Speaker(services.store)
        self._lock = threading.Lock()
        self._nudged: dict[str, Nudge] = {}  # the newest nudge of each row
        self._restate = False  # nudges may have been lost: send every socket its whole state
        self._work = threading.Event()
        self._started = False
        self._is_ending: Callable[[], bool] = lambda: False

    def watch(self, is_ending: Callable[[], bool]) -> None:
        """`is_ending`: whether this process is shutting down; all sockets are then closed with
        1012."""
        self._is_ending = is_ending

    def start(self) -> None:
        """Starts the threads, once. Called with the first socket, because a thread started before
        the server forks would not exist in its workers."""
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

    # --- listening thread ------------------------------------------------------------------------

    def listen(self) -> None:
        """One turn of the listening thread. Raises RedisError or OSError while Redis is away."""
        if self._is_ending() and not self._hub.closing:
            self._hub.close_all()
        self.hear(self._listener.listen(LISTEN_S))

    def hear(self, heard: Heard) -> None:
        """Queues what was received for the telling thread; the newest nudge of a row replaces older
        ones."""
        if not heard.nudges and not heard.subscribed:
            return
        with self._lock:
            self._restate = self._restate or heard.subscribed
            for nudge in heard.nudges:
                known = self._nudged.get(nudge.id)
                if known is None or known.version < nudge.version:
                    self._nudged[nudge.id] = nudge
        self._work.set()

    # --- telling thread --------------------------------------------------------------------------

    def tell(self, wait_s: float | None = None) -> None:
        """One turn of the telling thread. If a dependency is away it raises Unavailable (or another
        of AWAY) and keeps its work for the next turn."""
        self._work.wait(wait_s)
        self._work.clear()  # before the nudges are taken: what arrives from here on sets it again
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
        """Offers the present state to a socket that has just joined. Raises Unavailable."""
        with self._services.read() as session:
            rows = audiences.state(session, outbox.channel, datetime.now(UTC))
            for row_id, version, messages in self._speaker.state(session, rows, outbox.voice):
                outbox.offer(row_id, version, messages)
                _let_others_run()

    def _tell_nudged(self, nudged: dict[str, Nudge]) -> None:
        # Rows that no socket of this process listens to are not even read.
        listened = {
            row_id: (nudge, channels)
            for row_id, nudge in nudged.items()
            if self._hub.members(channels := _channels_of(nudge))
        }
        if not listened:
            return
        with self._services.read() as session:
            found = audiences.by_id(session, listened)

            def tell(row_id: str) -> None:
                self._tell_one(session, found.get(row_id), *listened[row_id])

            for row_id, error in each_alone(listened, tell, AWAY):
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
        # A tombstone may have lost its shopper, so the nudge says whose it was.
        channels = list(channels_if_gone) if audiences.is_gone(row) else audiences.channels_for(row)

        def say(voice: Voice) -> list[str]:
            return list(self._speaker.say(session, row, voice))

        self._hub.offer(channels, row.id, row.version, say)
        _let_others_run()

    # --- after lost nudges -----------------------------------------------------------------------

    def _tell_all(self) -> None:
        """Nudges may have been lost: offers the whole state to every socket, which takes only rows
        newer than what it was sent."""
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
        """Sends deletions of rows that a socket was sent before and that are gone now."""
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


def _let_others_run() -> None:
    """Yields to the other greenlets. Called after each row, because rendering is CPU work and
    gevent does not pre-empt."""
    time.sleep(0)


def _channels_of(nudge: Nudge) -> list[str]:
    try:
        return audiences.channels_of(nudge.id, Owner.parse(nudge.owner))
    except ContractError:
        log.warning("a nudge of nobody: %s", nudge.to_text())
        return []
