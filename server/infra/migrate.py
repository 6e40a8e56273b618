"""Runs schema migrations up to the newest, in one transaction. Safe to run concurrently."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from server.infra.db import Database

_LOCK = 0x70726F74  # "prot", PostgreSQL's advisory lock while tables change
_WAIT_MS = 60_000  # how long a second migrator waits for SQLite's write lock


def to_head(database: Database) -> None:
    with database.engine.connect().execution_options(proteus_write=True) as connection:
        connection.detach()  # its time-outs are changed below: it must not go back to the pool
        with _patiently(connection) if database.is_sqlite else _locked(connection):
            command.upgrade(config(connection), "head")
            connection.commit()


@contextmanager
def _patiently(connection: Connection) -> Iterator[None]:
    # By the driver: SQLAlchemy would begin its transaction, and so wait for the lock, before this.
    connection.connection.cursor().execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
    yield


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    # No time-outs: a second migrator waits however long the first one takes.
    connection.execute(text("SET statement_timeout = 0"))
    connection.execute(text("SET lock_timeout = 0"))
    connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text(f"SELECT pg_advisory_unlock({_LOCK})"))
        connection.commit()


def config(connection: Connection) -> Config:
    alembic = Config()
    alembic.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    alembic.attributes["connection"] = connection
    return alembic
