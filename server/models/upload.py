"""A file on its way into the store."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, now


class Upload(Base):
    """A file that was announced: who may name its key, and what it must turn out to be. It ends
    when a photo or garment takes the file over, or after an hour with the file deleted."""

    __tablename__ = "uploads"
    hers_alone = True

    key: Mapped[str] = mapped_column(primary_key=True)
    merchant_id: Mapped[str]
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    shopper_id: Mapped[str | None] = mapped_column(index=True)
    mode: Mapped[str]
    purpose: Mapped[str]
    content_type: Mapped[str]
    size_bytes: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
