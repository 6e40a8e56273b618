"""Renames the partial picture's columns from `preview_*`, which is the name of an engine."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

RENAMED = {"preview_key": "partial_key", "preview_step": "partial_step"}


def upgrade() -> None:
    for old, new in RENAMED.items():
        op.alter_column("try_ons", old, new_column_name=new)


def downgrade() -> None:
    for old, new in RENAMED.items():
        op.alter_column("try_ons", new, new_column_name=old)
