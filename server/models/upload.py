"""The table of uploads."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, now


class Upload(Base):
    """An announced file: who may use its key, and the type and length that it must have. Deleted
    when a photo or garment takes the file over, or after an hour, together with the file."""

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
