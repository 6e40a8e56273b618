"""Indexes for try-ons that are unfinished, due, or newest of a site: they skip the tombstones."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_try_ons_status", "try_ons", ["status", "created_at"])
    op.create_index("ix_try_ons_due", "try_ons", ["deleted_at", "expires_at"])
    op.create_index("ix_try_ons_of_site", "try_ons", ["site_id", "created_at"])
    op.drop_index("ix_try_ons_expires_at", "try_ons")
    op.drop_index("ix_try_ons_site_id", "try_ons")


def downgrade() -> None:
    op.create_index("ix_try_ons_site_id", "try_ons", ["site_id"])
    op.create_index("ix_try_ons_expires_at", "try_ons", ["expires_at"])
    op.drop_index("ix_try_ons_of_site", "try_ons")
    op.drop_index("ix_try_ons_due", "try_ons")
    op.drop_index("ix_try_ons_status", "try_ons")
