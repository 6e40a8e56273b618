"""The table of photos."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from gpu_worker.contract import PhotoStatus
from server.models.base import Base, new_id, now


class Photo(Base):
    """A shopper's photo and the state of its check. `clean_key`: the checked copy; engines read
    nothing else."""

    __tablename__ = "photos"
    hers_alone = True
    __table_args__ = (Index("ix_photos_status", "status", "queued_at"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("pho"))
    merchant_id: Mapped[str]
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    shopper_id: Mapped[str | None] = mapped_column(index=True)
    mode: Mapped[str] = mapped_column(default="live")
    status: Mapped[PhotoStatus] = mapped_column(default=PhotoStatus.CHECKING)
    reasons: Mapped[list[str]] = mapped_column(default=list)
    hints: Mapped[list[str]] = mapped_column(default=list)
    people: Mapped[list[list[float]]] = mapped_column(default=list)
    person: Mapped[int | None]
    consent_version: Mapped[str]
    upload_key: Mapped[str]
    content_type: Mapped[str]
    clean_key: Mapped[str]
    parts_key: Mapped[str]
    width_px: Mapped[int | None]
    height_px: Mapped[int | None]
    asked_from: Mapped[str | None]  # mark of the address, while it is being checked
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=now)
    queued_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
