"""Server-side login sessions of the dashboard, so that they can be revoked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from server import models

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLE = "dashboard_sessions"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("browser", sa.String(), nullable=False),
        sa.Column("created_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_dashboard_sessions_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dashboard_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_dashboard_sessions_token_hash")),
    )
    op.create_index(op.f("ix_dashboard_sessions_user_id"), TABLE, ["user_id"])
    op.create_index(op.f("ix_dashboard_sessions_expires_at"), TABLE, ["expires_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_dashboard_sessions_expires_at"), TABLE)
    op.drop_index(op.f("ix_dashboard_sessions_user_id"), TABLE)
    op.drop_table(TABLE)
