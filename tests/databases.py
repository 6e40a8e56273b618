"""Databases of single tests: copies of a template, dropped after the test.

The migrations and functions of the domain fill a template once; a copy takes milliseconds.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from server.infra import migrate
from server.infra.db import Database

EMPTY = "template1"  # PostgreSQL's own
TABLES = "tables"


def make_tables(url: str) -> None:
    database = Database(url)
    migrate.to_head(database)
    database.dispose()


def copied(template: Path, path: Path) -> str:
    """The URL of a copy of an SQLite file. No process may have it open."""
    shutil.copy(template, path)
    return f"sqlite:///{path}"


@contextmanager
def postgres_database(server: str, like: str) -> Iterator[str]:
    """The URL of a copy of another database on this server."""
    name = f"test_{uuid.uuid4().hex}"
    create(server, name, like)
    yield f"{server}/{name}"
    with _connected(server) as connection:
        _say(connection, f'DROP DATABASE "{name}" WITH (FORCE)')


def create(server: str, name: str, like: str) -> None:
    with _connected(server) as connection:
        # A tenth of the default's time where nothing is synced; before 15 it was the only way.
        how = "STRATEGY file_copy" if connection.info.server_version >= 150_000 else ""
        _say(connection, f'CREATE DATABASE "{name}" TEMPLATE "{like}" {how}')


def exists(server: str, name: str) -> bool:
    with _connected(server) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return found.fetchone() is not None


def name_of(url: str) -> str:
    return url.rsplit("/", 1)[1]


def _connected(server: str) -> psycopg.Connection:
    return psycopg.connect(server.replace("+psycopg", "") + "/postgres", autocommit=True)


def _say(connection: psycopg.Connection, statement: str) -> None:
    connection.execute(statement.encode())
