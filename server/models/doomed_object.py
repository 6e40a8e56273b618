"""The transactional outbox of deletions in the object store."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, now


class DoomedObject(Base):
    """An object to be deleted from the store. Written in the transaction that deletes its row, so
    that an outage of the store delays a deletion but never loses it: the steward retries."""

    __tablename__ = "doomed_objects"

    key: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(default=now, index=True)
    tries: Mapped[int] = mapped_column(default=0)
