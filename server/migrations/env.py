"""Alembic environment: runs migrations on the connection that `infra/migrate` passes in."""

from __future__ import annotations

from alembic import context

from server.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    # SQLite has transactional DDL, though Alembic assumes not. Without this it would commit after
    # each migration, and a second migrator could run between two of them.
    transactional_ddl=True,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    user_module_prefix="models.",
)
with context.begin_transaction():
    context.run_migrations()
