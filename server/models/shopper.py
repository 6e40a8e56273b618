"""The table of shoppers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, new_id, now


class Shopper(Base):
    """A pseudonymous end user: a random id, the hash of her resume handle, her consent."""

    __tablename__ = "shoppers"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("sho"))
    merchant_id: Mapped[str]
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    mode: Mapped[str]
    resume_hash: Mapped[str | None] = mapped_column(unique=True)
    consent_version: Mapped[str | None]
    consented_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
