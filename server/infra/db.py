"""The database, SQLite or PostgreSQL: one engine per process, one transaction per session scope.

Owns SQLAlchemy's engine and its options; must not know tables.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.orm import Session, sessionmaker

from server.infra.errors import Unavailable

BUSY_TIMEOUT_S = 5
CONNECT_TIMEOUT_S = 3
POOL_SIZE = 10


class Database:
    """The connection pool of one process, shared by its threads and greenlets."""

    def __init__(self, url: str):
        self.url = normalise_url(url)
        self.is_sqlite = self.url.startswith("sqlite")
        self.engine = _sqlite(self.url) if self.is_sqlite else _postgres(self.url)
        # Rows are returned from their session and rendered after it is closed.
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        # SQLite's busy wait blocks the whole thread. Under gevent that would also stop the greenlet
        # that holds the write lock, so writers of one process queue up here instead.
        self._writer = threading.Lock() if self.is_sqlite else nullcontext()

    @contextmanager
    def session_scope(self, *, write: bool = True) -> Iterator[Session]:
        """One transaction: commits at the end, rolls back on any error.

        On SQLite a writing one takes the write lock at once (BEGIN IMMEDIATE), so keep it short: no
        Redis, no store, no waiting inside.

        Raises:
            Unavailable: the database cannot be reached or is locked too long.
        """
        with self._writer if write else nullcontext():
            session = self._sessions()
            try:
                if self.is_sqlite and write:
                    session.connection(execution_options={"proteus_write": True})
                yield session
                session.commit()
            except (OperationalError, InterfaceError, PoolExhausted) as error:
                if is_outage(error):
                    raise Unavailable("database") from error
                raise
            finally:
                session.close()  # rolls back what was not committed

    def ping(self) -> None:
        """Raises `Unavailable` where the database does not answer."""
        with self.session_scope(write=False) as session:
            session.execute(text("SELECT 1"))

    def dispose(self) -> None:
        self.engine.dispose()


def normalise_url(url: str) -> str:
    """Selects psycopg 3 for PostgreSQL, the driver that cooperates with gevent."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def is_outage(error: DBAPIError | PoolExhausted) -> bool:
    """Whether the error is transient, so that a retry may help. A missing table is not."""
    if isinstance(error, InterfaceError | PoolExhausted) or error.connection_invalidated:
        return True
    words = str(error.orig).lower()
    return not any(word in words for word in ("no such table", "no such column", "syntax"))


def _sqlite(url: str) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver must not send BEGIN; `on_begin` does
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("proteus_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgres(url: str) -> Engine:
    make_url(url)  # fails here with a clear message if the URL is wrong
    return create_engine(
        url,
        hide_parameters=True,  # errors are logged, and rows hold e-mails and hashes
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_timeout=CONNECT_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "tcp_user_timeout": 5_000,  # ms; else a host that vanished is noticed after minutes
            "options": "-c statement_timeout=15000 -c lock_timeout=5000",
        },
    )
