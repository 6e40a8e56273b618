"""What a merchant's people wrote down about their site."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, new_id, now


class Note(Base):
    __tablename__ = "notes"
    hers_alone = False

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("nte"))
    merchant_id: Mapped[str]
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    version: Mapped[int] = mapped_column(default=1)
    text: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
