"""The steward's main loop: apply workers' events, then run the periodic tasks that are due.

No turn raises for a dependency that is away. Two stewards at once are harmless: every change of a
row is a compare-and-set or made under a row lock.
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

from gpu_worker.contract import STEWARD, STEWARD_TTL_S, Backoff, Event, each_alone, tried
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
POISON = (DataError, IntegrityError)  # a poison message: no retry helps
FIRST_REST_S = 0.1
LONGEST_REST_S = 0.5
WAIT_MS = 250  # for new events, in one turn


def unique_name() -> str:
    """A name for this process' consumer in the group of stewards."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class Steward:
    """The state of one steward process between turns; used by one thread. None of it must survive
    the process: rows and stream hold what matters.

    `lost_after_s`: how old an unfinished row must be before a missing job counts as lost.
    """

    def __init__(self, services: Services, name: str | None = None, lost_after_s: float = 5.0):
        self.name = name or unique_name()
        self.counts: Counter[str] = Counter()
        self._services = services
        self._inbox = Inbox(services.redis, self.name)
        self._put_back = PutBack(services, lost_after_s)
        self._moved: set[str] = set()  # engines whose places must be computed again
        self._placed: dict[str, datetime] = {}  # when that was last done, by engine
        says = "settling waits %(rest_s).1f s: %(error)s"
        rests_s = FIRST_REST_S, LONGEST_REST_S
        self._backoff = Backoff(log, AWAY, says, *rests_s, "a turn fails", LONGEST_REST_S)
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
        """One turn; waits up to `wait_ms` for events. Returns the seconds to pause before the next:
        more than 0 after a failure."""
        began = time.monotonic()
        rest_s = self._backoff.take(lambda: self._turn(now, wait_ms))
        now += timedelta(seconds=time.monotonic() - began)
        due = (chore for chore in self._chores if chore.is_due(now))
        for chore, error in each_alone(due, lambda one: one.run(now)):
            _note(chore, error, now)
        return rest_s

    def _turn(self, now: datetime, wait_ms: int) -> None:
        """Reads and applies one batch, then updates places. The wait for events counts into `now`:
        their times must not lie in the future."""
        began = time.monotonic()
        mail = self._inbox.read(wait_ms)
        now += timedelta(seconds=time.monotonic() - began)
        self._is_behind = mail.is_full
        self._settle(mail, now)
        self._places(now)

    # --- events ----------------------------------------------------------------------------------

    def _settle(self, mail: Mail, now: datetime) -> None:
        """Commit, publish, acknowledge, in this order: after a crash in between, the events are
        read and applied again, which changes nothing twice."""
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
        settled = tried(lambda: self._commit_all(events, now), AWAY, unless=POISON)
        if isinstance(settled, Settled):
            return settled
        if not isinstance(settled, POISON):
            told = "a batch of %d events cannot be settled together"
            log.error(told, len(events), exc_info=settled)
        return self._one_by_one(events, now)

    def _one_by_one(self, events: list[Event], now: datetime) -> Settled:
        """Applies each event in a transaction of its own, so that a poison message (one that the
        database refuses or our code fails on) is dropped without the others."""
        total = Settled()
        alone = each_alone(events, lambda one: self._commit_all([one], now), AWAY, unless=POISON)
        for event, settled in alone:
            if isinstance(settled, Settled):
                total.add(settled)
            else:
                log.error("unreadable event for %s", event.id, exc_info=settled)
                total.add(Settled(unreadable=1))
        return total

    def _commit_all(self, events: list[Event], now: datetime) -> Settled:
        with self._services.database.session_scope() as session:
            return settle_events(session, events, now)

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
        # Behind on events, a job that seems lost may have ended already.
        if not self._is_behind:
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


def _note(chore: Chore, error: Exception | None, now: datetime) -> None:
    if error is None:
        chore.succeeded(now)
        return
    chore.failed(now)
    if isinstance(error, AWAY):
        log.warning("%s failed %d times: %s", chore.name, chore.failures, error)
    else:
        log.error("%s fails", chore.name, exc_info=error)
