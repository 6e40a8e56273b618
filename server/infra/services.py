"""Dependencies of the domain in one object (settings, database, Redis, store, jobs), and the unit
of work: one transaction and what follows its commit. Used by views, domain and steward; must not
know a noun.
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
    """Unit of work: one database transaction, and what to do once it is committed.

    `now`: when it began. Redis and the store are used after the commit only, so that no lock is
    held while waiting for them. Belongs to one thread.
    """

    services: Services
    session: Session
    now: datetime
    _nudges: list[Nudge] = field(default_factory=list)
    _doomed: list[str] = field(default_factory=list)
    _actions: list[Callable[[], object]] = field(default_factory=list)
    _buries: bool = True
    redis_is_away: bool = False  # true: skip Redis after the commit, do not wait for it again

    def nudge(self, row: nudges.Owned) -> None:
        """Increments the row's version; open pages are told after the commit."""
        row.version += 1
        self._nudges.append(nudges.of(row))

    def announce(self, nudge: Nudge) -> None:
        """Tells open pages, after the commit, of a row that is new or deleted. Unlike `nudge` it
        leaves the version to the caller."""
        self._nudges.append(nudge)

    def doom(self, keys: Iterable[str | None], *, until: datetime | None = None) -> None:
        """Marks objects for deletion: an outbox row each in this transaction, a first attempt after
        the commit, retries by the steward until the store confirms.

        `until`: until then a client may still write the object by a presigned URL, so that the
        steward deletes it (again) after that moment.
        """
        due_at = max(self.now, until or self.now)
        for key in keys:
            if key:  # merge: the outbox may have it already
                self.session.merge(DoomedObject(key=key, due_at=due_at, tries=0))
                self._doomed.append(key)

    def after_commit(self, action: Callable[[], object]) -> None:
        """Runs `action` once the rows are committed. A RedisError from it is logged, not raised:
        the steward repairs what is missing."""
        self._actions.append(action)

    def _finish(self) -> None:
        for action in self._actions:
            if not self.redis_is_away:  # set by the first time-out: one is enough
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
                # Those with a later `due_at` may be written again: their outbox row stays.
                confirmed = DoomedObject.key.in_(keys) & (DoomedObject.due_at <= self.now)
                session.execute(delete(DoomedObject).where(confirmed))
        except Unavailable as error:
            log.warning("deletion left to the steward", error=str(error), objects=len(keys))


@dataclass(frozen=True, slots=True)
class Services:
    """The settings and every connection of one process; shared by its threads."""

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
        """A writing unit of work: commit, then the `after_commit` actions, nudges and deletions.

        The steward passes its own time, and `buries=False`: one of its chores deletes the objects.
        """
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
