"""The tables of try-ons and of their idempotency keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from gpu_worker.contract import Category, Lane, TryOnStatus
from server.models.base import Base, new_id, now


class TryOn(Base):
    """A request for one picture, and its result.

    `expires_at`: when the picture must be deleted. An unfinished one times out earlier,
    PROTEUS_TRY_ON_TIMEOUT_S after `queued_at`. A deleted row stays as a tombstone (`deleted_at`)
    without anything personal, so that reading it answers 410 and usage still adds up.
    """

    __tablename__ = "try_ons"
    # Tombstones are never deleted, so queries that run every second, and a site's first page, need
    # indexes that skip them.
    __table_args__ = (
        Index("ix_try_ons_open", "engine", "status", "created_at"),
        Index("ix_try_ons_status", "status", "created_at"),
        Index("ix_try_ons_due", "deleted_at", "expires_at"),
        Index("ix_try_ons_of_site", "site_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("try"))
    merchant_id: Mapped[str]
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    shopper_id: Mapped[str | None] = mapped_column(index=True)
    photo_id: Mapped[str | None] = mapped_column(index=True)
    garment_id: Mapped[str | None] = mapped_column(index=True)
    mode: Mapped[str]
    engine: Mapped[str]
    lane: Mapped[Lane] = mapped_column(default=Lane.LIVE)
    status: Mapped[TryOnStatus] = mapped_column(default=TryOnStatus.QUEUED)
    category: Mapped[Category]
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    seed: Mapped[int]
    position: Mapped[int | None]
    ready_at: Mapped[datetime | None]  # when its picture is expected
    step: Mapped[int] = mapped_column(default=0)
    steps: Mapped[int] = mapped_column(default=0)
    partial_key: Mapped[str | None]  # of the partial picture, while it runs
    partial_step: Mapped[int | None]  # and the step at which it was taken
    result_key: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    is_preview: Mapped[bool] = mapped_column(default=False)
    tier: Mapped[str | None]
    error_code: Mapped[str | None]
    retryable: Mapped[bool] = mapped_column(default=False)
    queue_ms: Mapped[int | None]
    model_ms: Mapped[int | None]
    total_ms: Mapped[int | None]
    liked: Mapped[bool | None]
    like_reason: Mapped[str | None]
    shared: Mapped[bool] = mapped_column(default=False)
    asked_from: Mapped[str | None]  # a mark of the address, while it is unfinished
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    queued_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    @property
    def eta_s(self) -> float | None:
        """Estimated seconds until the picture is done; None if unknown or finished."""
        if self.ready_at is None or self.status.is_final:
            return None
        return max(0.0, round((self.ready_at - now()).total_seconds(), 1))


class IdempotencyKey(Base):
    """The try-on that a POST with this key made, kept for 24 h: a repeated request gets it, too.
    `body_hash`: to refuse the key with another body."""

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_hash: Mapped[str]
    try_on_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
