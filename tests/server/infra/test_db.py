"""Sessions and migrations: the same on SQLite and PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from unittest.mock import Mock

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, insert, inspect, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from server.infra import migrate
from server.infra.db import Database, normalise_url
from server.infra.errors import Unavailable
from server.models import Base, Merchant


def test_migrations_make_the_tables_of_the_models(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    migrate.to_head(database)
    migrate.to_head(database)  # a second time is nothing
    with database.engine.connect() as connection:
        tables = set(inspect(connection).get_table_names())
        assert tables == set(Base.metadata.tables) | {"alembic_version"}
        # Words are plain text in the tables, so the type is not compared.
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []
    database.dispose()


def test_nobody_sees_half_the_migrations(empty_database_url: str) -> None:
    """Or a second migrator, waiting for its turn, would go on from the middle."""
    database = Database(empty_database_url)
    head = ScriptDirectory.from_config(migrate.config(Mock())).get_current_head()
    seen: list[str | None] = []

    @event.listens_for(database.engine, "commit")
    def look(connection: Connection) -> None:
        seen.append(MigrationContext.configure(connection).get_current_revision())

    migrate.to_head(database)
    assert seen[-1] == head
    assert set(seen) <= {None, head}
    database.dispose()


def test_several_may_migrate_at_once(empty_database_url: str) -> None:
    script = (
        "import sys; from server.infra import db, migrate; "
        "migrate.to_head(db.Database(sys.argv[1]))"
    )
    command = [sys.executable, "-c", script, empty_database_url]
    started = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.dispose()


def test_what_fails_leaves_nothing(database: Database) -> None:

    def fail_halfway() -> None:
        with database.session_scope() as session:
            session.add(Merchant(id="mer_1", name="Ada's"))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    with database.session_scope(write=False) as session:
        assert session.get(Merchant, "mer_1") is None


def test_an_error_tells_no_value_of_a_row(database: Database) -> None:
    merchant = {"id": "mer_1", "name": "Secret name"}
    with database.session_scope() as session:
        session.execute(insert(Merchant).values(merchant))
        with pytest.raises(IntegrityError) as told:
            session.execute(insert(Merchant).values(merchant))
        session.rollback()
    assert "Secret name" not in str(told.value)


def test_writers_wait_for_each_other_and_none_is_lost(database: Database) -> None:
    with database.session_scope() as session:
        session.add(Merchant(id="mer_1", name="0"))
    start = threading.Barrier(4)

    def count() -> None:
        start.wait()
        for _ in range(10):
            with database.session_scope() as session:
                merchant = session.get(Merchant, "mer_1", with_for_update=True)
                assert merchant is not None
                merchant.name = str(int(merchant.name) + 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.session_scope(write=False) as session:
        assert session.get_one(Merchant, "mer_1").name == "40"


def test_a_lock_held_too_long_is_an_outage(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.infra.db.BUSY_TIMEOUT_S", 0.1)
    holder, other = Database(sqlite_url), Database(sqlite_url)  # as in two processes
    with holder.session_scope(), pytest.raises(Unavailable), other.session_scope():
        pytest.fail("it may not begin")
    with other.session_scope() as session:
        session.add(Merchant(name="Ada's"))


def test_readers_do_not_wait_for_a_writer(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.session_scope() as writer:
        writer.add(Merchant(name="Ada's"))
        writer.flush()
        with database.session_scope(write=False) as reader:
            assert reader.query(Merchant).count() == 0


def test_foreign_keys_hold_on_sqlite_too(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.session_scope(write=False) as session:
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"


def test_a_server_that_is_away_is_an_outage_and_a_bug_is_none(postgres_url: str) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/x")
    with pytest.raises(Unavailable):
        away.ping()
    database = Database(postgres_url)
    with pytest.raises(ProgrammingError), database.session_scope() as session:
        session.execute(text("SELECT * FROM no_such_table"))
    database.dispose()


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d"),
        ("sqlite:///x.db", "sqlite:///x.db"),
    ],
)
def test_urls(given: str, used: str) -> None:
    assert normalise_url(given) == used
