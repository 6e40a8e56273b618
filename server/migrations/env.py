"""Runs migrations on the database of DATABASE_URL, or on the connection that the caller brings."""

from __future__ import annotations

from alembic import context

from server.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    # SQLite's tables change in a transaction, too, whatever Alembic thinks of it: without this it
    # commits after each migration, and a second migrator may slip in between two of them.
    transactional_ddl=True,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    user_module_prefix="models.",
)
with context.begin_transaction():
    context.run_migrations()
