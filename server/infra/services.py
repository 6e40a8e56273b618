"""What an act may touch, handed over as one thing: settings, database, Redis, store, jobs.

Owns the unit of work: one transaction, and what happens after its commit. Acts, doors and the
steward share it; it knows no noun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import structlog
from flask import current_app
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import delete
from sqlalchemy.orm import Session

from gpu_worker.contract import Nudge
from server import models
from server.config import Settings
from server.infra import jobs as jobs_module
from server.infra import nudges
from server.infra.db import Database
from server.infra.errors import Unavailable
from server.infra.jobs import Jobs
from server.infra.store import Store
from server.models import DoomedObject

log = structlog.get_logger(__name__)
EXTENSION = "proteus"


@dataclass(slots=True)
class Work:
    """One transaction. `now` is the moment it began; whatever needs Redis or the store is
    left to `after_commit`, so that no lock is held while something else is waited for."""

    services: Services
    session: Session
    now: datetime
    _nudges: list[Nudge] = field(default_factory=list)
    _doomed: list[str] = field(default_factory=list)
    _actions: list[Callable[[], object]] = field(default_factory=list)
    _buries: bool = True
    redis_is_away: bool = False  # known already; then nobody waits for it again

    def nudge(self, row: nudges.Owned) -> None:
        """Raises the row's version and tells open pages after the commit."""
        row.version += 1
        self._nudges.append(nudges.of(row))

    def announce(self, nudge: Nudge) -> None:
        """Tells open pages of a row that is new or about to go; its version is the caller's."""
        self._nudges.append(nudge)

    def doom(self, keys: Iterable[str | None], *, until: datetime | None = None) -> None:
        """Objects that must vanish: noted in this transaction, tried after it, retried by the
        steward until the store confirms. `until` then a client may still write them, by an address
        that was signed before: the steward deletes them once more."""
        due_at = max(self.now, until or self.now)
        for key in keys:
            if key:
                self.session.merge(DoomedObject(key=key, due_at=due_at, tries=0))
                self._doomed.append(key)

    def after_commit(self, action: Callable[[], object]) -> None:
        """Talks to Redis once the rows are safe. Where Redis is away that is logged, not raised:
        the steward makes up for it."""
        self._actions.append(action)

    def _finish(self) -> None:
        for action in self._actions:
            if not self.redis_is_away:
                self._try(action)
        if self._nudges and not self.redis_is_away:
            nudges.publish(self.services.redis, self._nudges)
        if self._doomed and self._buries:
            self._delete_doomed(self._doomed)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except RedisError as error:
            self.redis_is_away = True
            log.warning("left to the steward", error=str(error))

    def _delete_doomed(self, keys: list[str]) -> None:
        try:
            self.services.store.delete(keys)
            with self.services.database.session_scope() as session:
                confirmed = DoomedObject.key.in_(keys) & (DoomedObject.due_at <= self.now)
                session.execute(delete(DoomedObject).where(confirmed))
        except Unavailable as error:
            log.warning("deletion left to the steward", error=str(error), objects=len(keys))


@dataclass(frozen=True, slots=True)
class Services:
    """Everything with a connection, made once a process."""

    settings: Settings
    database: Database
    redis: Redis
    store: Store
    jobs: Jobs

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        redis = jobs_module.connect(settings.redis_url)
        return cls(
            settings=settings,
            database=Database(settings.database_url),
            redis=redis,
            store=Store.from_settings(settings),
            jobs=Jobs(redis),
        )

    @contextmanager
    def work(self, now: datetime | None = None, *, buries: bool = True) -> Iterator[Work]:
        """A writing unit of work: commit, then its `after_commit`, nudges and deletions.

        The steward passes its own time, and leaves the deletions to a chore of its own."""
        with self.database.session_scope() as session:
            work = Work(self, session, now or models.now(), _buries=buries)
            yield work
        work._finish()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads."""
        with self.database.session_scope(write=False) as session:
            yield session

    def close(self) -> None:
        self.database.dispose()
        self.redis.close()


def current_services() -> Services:
    """The services of the app that handles this request."""
    services: Services = current_app.extensions[EXTENSION]
    return services
