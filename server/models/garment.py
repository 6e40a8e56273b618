"""The table of garments."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gpu_worker.contract import Category, GarmentStatus
from server.models.base import Base, new_id, now


class Garment(Base):
    """A garment that a site lets shoppers try on, unique by SKU. `clean`: remove its background."""

    __tablename__ = "garments"
    __table_args__ = (UniqueConstraint("site_id", "sku"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("gar"))
    merchant_id: Mapped[str]
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    sku: Mapped[str]
    title: Mapped[str]
    category: Mapped[Category]
    status: Mapped[GarmentStatus] = mapped_column(default=GarmentStatus.CLEANING)
    reasons: Mapped[list[str]] = mapped_column(default=list)
    clean: Mapped[bool] = mapped_column(default=True)
    upload_key: Mapped[str | None]
    image_url: Mapped[str | None]
    clean_key: Mapped[str]
    parts_key: Mapped[str]
    cutout_key: Mapped[str]
    width_px: Mapped[int | None]
    height_px: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=now)
    queued_at: Mapped[datetime] = mapped_column(default=now)
