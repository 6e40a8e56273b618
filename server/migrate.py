"""Brings the tables up to date, each migration in a transaction. Safe to run by several at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from server.db import Database

_LOCK = 0x70726F74  # "prot", PostgreSQL's advisory lock while tables change


def to_head(database: Database) -> None:
    with database.engine.connect().execution_options(proteus_write=True) as connection:
        if not database.is_sqlite:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("SET lock_timeout = 0"))
            connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
            connection.commit()
        try:
            command.upgrade(config(connection), "head")
            connection.commit()
        finally:
            if not database.is_sqlite:
                connection.execute(text(f"SELECT pg_advisory_unlock({_LOCK})"))
                connection.commit()


def config(connection: Connection) -> Config:
    alembic = Config()
    alembic.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    alembic.attributes["connection"] = connection
    return alembic
