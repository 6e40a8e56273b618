"""A mark of the address on waiting try-ons and photos, to count queues by; an index for photos."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("try_ons", "photos"):
        op.add_column(table, sa.Column("asked_from", sa.String(), nullable=True))
    op.create_index("ix_photos_status", "photos", ["status", "queued_at"])


def downgrade() -> None:
    op.drop_index("ix_photos_status", "photos")
    for table in ("photos", "try_ons"):
        op.drop_column(table, "asked_from")
