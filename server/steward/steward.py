"""The steward's turn: settle what the workers say, then whatever chore is due.

`loop(now)` is one turn; it never raises for a dependency that is away. Two stewards at once are
harmless: all they change, they change by compare-and-set.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from redis.exceptions import RedisError
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from gpu_worker.contract import STEWARD, STEWARD_TTL_S, Event
from server.infra import nudges
from server.infra.errors import Unavailable
from server.infra.redis import fields_of
from server.infra.services import Services
from server.steward import expiry, placing
from server.steward.chores import Chore
from server.steward.inbox import Inbox, Mail
from server.steward.ledger import ContestedError, Settled, settle_events
from server.steward.put_back import PutBack

log = logging.getLogger(__name__)

AWAY = (RedisError, Unavailable, SQLAlchemyError, ContestedError, OSError)
POISON = (DataError, IntegrityError)  # no waiting helps against these
FIRST_REST_S = 0.1
LONGEST_REST_S = 0.5
WAIT_MS = 250


def unique_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class Steward:
    """Holds what one steward process remembers between turns, none of which may be lost with harm.

    `lost_after_s`: how old an unfinished row must be before its job is missed.
    """

    def __init__(self, services: Services, name: str | None = None, lost_after_s: float = 5.0):
        self.name = name or unique_name()
        self.counts: Counter[str] = Counter()
        self._services = services
        self._inbox = Inbox(services.redis, self.name)
        self._put_back = PutBack(services, lost_after_s)
        self._moved: set[str] = set()
        self._placed: dict[str, datetime] = {}  # when one looked last, by engine
        self._rest_s = 0.0
        self._is_behind = False
        self._chores = [
            Chore("claim", 1.0, self._claim),
            Chore("places", 1.0, self._all_places),
            Chore("put back", 2.0, self._put_back_lost),
            Chore("heartbeat", 2.0, self._heartbeat),
            Chore("delete objects", 1.0, self._count("objects_deleted", expiry.delete_objects)),
            Chore("run out", 2.0, self._count("ran_out", expiry.end_overdue)),
            Chore("expire", 10.0, self._count("expired", expiry.expire)),
            Chore("forget the dead", 600.0, self._forget_the_dead),
        ]

    def loop(self, now: datetime, wait_ms: int = WAIT_MS) -> float:
        """Exactly one turn. Waits up to `wait_ms` for events; returns the seconds to rest after
        a failure, 0 when all is well."""
        now = self._turn(now, wait_ms)
        for chore in self._chores:
            if chore.is_due(now):
                self._run(chore, now)
        return self._rest_s

    def _turn(self, now: datetime, wait_ms: int) -> datetime:
        """Settles what came. Returns when that was: waiting takes time, and what came meanwhile
        is not ahead of us."""
        began = time.monotonic()
        try:
            mail = self._inbox.read(wait_ms)
            now += timedelta(seconds=time.monotonic() - began)
            self._is_behind = mail.is_full
            self._settle(mail, now)
            self._places(now)
            self._rest_s = 0.0
        except AWAY as error:
            self._rest_s = min(LONGEST_REST_S, max(FIRST_REST_S, self._rest_s * 2))
            log.warning("settling waits %.1f s: %s", self._rest_s, error)
        except Exception:
            self._rest_s = LONGEST_REST_S
            log.exception("a turn fails")
        return now

    def _run(self, chore: Chore, now: datetime) -> None:
        try:
            chore.run(now)
        except AWAY as error:
            chore.failed(now)
            log.warning("%s failed %d times: %s", chore.name, chore.failures, error)
        except Exception:
            chore.failed(now)
            log.exception("%s fails", chore.name)
        else:
            chore.succeeded(now)

    # --- events ----------------------------------------------------------------------------------

    def _settle(self, mail: Mail, now: datetime) -> None:
        """Commit, then tell, then acknowledge: whatever dies between, dies into a repetition."""
        if not mail.ids:
            return
        settled = self._commit(mail.events, now)
        for jobs, row in settled.due:
            if jobs.enqueue is not None:
                jobs.enqueue(self._services, row)
        nudges.publish(self._services.redis, settled.nudges)
        self._inbox.acknowledge(mail)
        self._moved |= settled.engines
        self.counts["settled"] += len(settled.nudges)
        self.counts["unreadable"] += mail.unreadable + settled.unreadable

    def _commit(self, events: list[Event], now: datetime) -> Settled:
        try:
            with self._services.database.session_scope() as session:
                return settle_events(session, events, now)
        except AWAY as error:
            if not isinstance(error, POISON):
                raise
        except Exception:
            log.exception("a batch of %d events cannot be settled together", len(events))
        return self._one_by_one(events, now)

    def _one_by_one(self, events: list[Event], now: datetime) -> Settled:
        """The way around an event that no database takes, or that our rules trip over."""
        total = Settled()
        for event in events:
            try:
                with self._services.database.session_scope() as session:
                    settled = settle_events(session, [event], now)
            except Exception as error:
                if isinstance(error, AWAY) and not isinstance(error, POISON):
                    raise
                log.exception("unreadable event for %s", event.id)
                settled = Settled(unreadable=1)
            total.add(settled)
        return total

    def _claim(self, now: datetime) -> None:
        self._settle(self._inbox.claim(), now)

    # --- chores ----------------------------------------------------------------------------------

    def _all_places(self, now: datetime) -> None:
        self._moved |= placing.engines_that_wait(self._services)
        self._places(now)

    def _places(self, now: datetime) -> None:
        while self._moved:
            engine = self._moved.pop()
            since = self._placed.get(engine)
            moved = placing.place_engine(self._services, engine, now, since)
            self._placed[engine] = now
            nudges.publish(self._services.redis, moved)

    def _put_back_lost(self, now: datetime) -> None:
        if not self._is_behind:  # what seems lost may be settled by the events to come
            self.counts["put_back"] += self._put_back.run(now)

    def _heartbeat(self, now: datetime) -> None:
        said: dict[str, str | float] = {
            "name": self.name,
            "pid": os.getpid(),
            "ts": now.timestamp(),
        }
        with self._services.redis.pipeline() as pipe:
            pipe.hset(STEWARD, mapping=fields_of({**said, **self.counts}))
            pipe.expire(STEWARD, STEWARD_TTL_S)
            pipe.execute()

    def _forget_the_dead(self, _now: datetime) -> None:
        self._inbox.forget_the_dead()

    def _count(
        self, word: str, act: Callable[[Services, datetime], int]
    ) -> Callable[[datetime], None]:
        def run(now: datetime) -> None:
            self.counts[word] += act(self._services, now)

        return run
