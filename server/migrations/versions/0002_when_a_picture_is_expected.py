"""Try-ons: a moment (`ready_at`) instead of seconds, which age; the step of a partial picture."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from server import models

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("try_ons", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ready_at", models.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("preview_step", sa.Integer(), nullable=True))
        batch_op.drop_column("eta_s")


def downgrade() -> None:
    with op.batch_alter_table("try_ons", schema=None) as batch_op:
        batch_op.add_column(sa.Column("eta_s", sa.Double(), nullable=True))
        batch_op.drop_column("ready_at")
        batch_op.drop_column("preview_step")
