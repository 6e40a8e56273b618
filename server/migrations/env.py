"""Runs migrations on the database of DATABASE_URL, or on the connection that the caller brings."""

from __future__ import annotations

from alembic import context

from server.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    user_module_prefix="models.",
)
with context.begin_transaction():
    context.run_migrations()
