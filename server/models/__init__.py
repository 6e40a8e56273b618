"""The rows: who owns what and where each thing stands. The row is the truth.

Knows SQLAlchemy and the contract's words; no request, no Redis, no store. Every row that a
caller can name carries `merchant_id` and `site_id`, so that every query can be owner-scoped.
"""

from __future__ import annotations

import enum
import secrets
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, Enum, ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from gpu_worker.contract import Category, GarmentStatus, Lane, PhotoStatus, TryOnStatus


def now() -> datetime:
    return datetime.now(UTC)


def new_id(prefix: str) -> str:
    """A readable, unguessable id such as `pho_9f2c…` (96 random bits)."""
    return f"{prefix}_{secrets.token_hex(12)}"


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python on both databases; SQLite would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


def _values(kind: type[enum.Enum]) -> list[str]:
    return [member.value for member in kind]


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        # Words as they are on the wire, in a plain column: a new word needs no migration.
        enum.Enum: Enum(enum.Enum, native_enum=False, length=20, values_callable=_values),
    }


class Merchant(Base):
    __tablename__ = "merchants"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("mer"))
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class User(Base):
    """Somebody who logs in to the dashboard. `role`: owner | staff."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("usr"))
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.id"), index=True)
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)

    merchant: Mapped[Merchant] = relationship()


class DashboardSession(Base):
    """A browser in which a user is logged in. Its cookie holds a token, the row only its hash.
    `browser`: in our words. It ends at `expires_at`, or when it is unused for a week."""

    __tablename__ = "dashboard_sessions"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("ses"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    browser: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)

    user: Mapped[User] = relationship()


class Site(Base):
    """One shop of a merchant, with its publishable keys and the origins that may use them."""

    __tablename__ = "sites"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("sit"))
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.id"), index=True)
    name: Mapped[str]
    live_key: Mapped[str] = mapped_column(unique=True)
    test_key: Mapped[str] = mapped_column(unique=True)
    allowed_origins: Mapped[list[Any]] = mapped_column(default=list)
    accent: Mapped[str] = mapped_column(default="#3b4cca")
    created_at: Mapped[datetime] = mapped_column(default=now)

    merchant: Mapped[Merchant] = relationship()


class SecretKey(Base):
    """A hashed `sk_live_…` or `sk_test_…`; the clear text is shown once. `hint`: its last four."""

    __tablename__ = "secret_keys"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("key"))
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    mode: Mapped[str]
    hint: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    revoked_at: Mapped[datetime | None]

    site: Mapped[Site] = relationship()


class Shopper(Base):
    """Somebody in a fitting room, known by nothing but a random handle and what she agreed to."""

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


class Upload(Base):
    """A file that was announced: who may name its key, and what it must turn out to be. It ends
    when a photo or garment takes the file over, or after an hour with the file deleted."""

    __tablename__ = "uploads"

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


class Photo(Base):
    """A shopper's photo. `clean_key` is the checked copy; engines read only that."""

    __tablename__ = "photos"
    __table_args__ = (Index("ix_photos_status", "status", "queued_at"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("pho"))
    merchant_id: Mapped[str]
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    shopper_id: Mapped[str | None] = mapped_column(index=True)
    mode: Mapped[str] = mapped_column(default="live")
    status: Mapped[PhotoStatus] = mapped_column(default=PhotoStatus.CHECKING)
    reasons: Mapped[list[Any]] = mapped_column(default=list)
    hints: Mapped[list[Any]] = mapped_column(default=list)
    people: Mapped[list[Any]] = mapped_column(default=list)
    person: Mapped[int | None]
    consent_version: Mapped[str]
    upload_key: Mapped[str]
    content_type: Mapped[str]
    clean_key: Mapped[str]
    parts_key: Mapped[str]
    width_px: Mapped[int | None]
    height_px: Mapped[int | None]
    asked_from: Mapped[str | None]  # as of a try-on
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=now)
    queued_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Garment(Base):
    __tablename__ = "garments"
    __table_args__ = (UniqueConstraint("site_id", "sku"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("gar"))
    merchant_id: Mapped[str]
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    sku: Mapped[str]
    title: Mapped[str]
    category: Mapped[Category]
    status: Mapped[GarmentStatus] = mapped_column(default=GarmentStatus.CLEANING)
    reasons: Mapped[list[Any]] = mapped_column(default=list)
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


class TryOn(Base):
    """One picture asked for. `expires_at` is when its picture must go; an unfinished one runs
    out earlier, PROTEUS_TRY_ON_TIMEOUT_S after `queued_at`. After its deletion the row stays as a
    tombstone (`deleted_at`) with nothing personal in it: reading it says 410, usage adds up."""

    __tablename__ = "try_ons"
    # Tombstones stay for ever: what runs every second, and a site's first page, must not read them.
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
    preview_key: Mapped[str | None]  # the latest intermediate picture, while it runs
    preview_step: Mapped[int | None]  # and the step at which it was taken
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
        """Seconds until the picture, as far as one knows; None where nothing is awaited."""
        if self.ready_at is None or self.status.is_final:
            return None
        return max(0.0, round((self.ready_at - now()).total_seconds(), 1))


class IdempotencyKey(Base):
    """The answer given to a POST, kept 24 h: the same key and body get the same answer."""

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_hash: Mapped[str]
    try_on_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)


class DoomedObject(Base):
    """An object that must vanish from the store. Written in the transaction that deletes its
    row, so that a dead store delays a deletion and never loses it; the steward retries."""

    __tablename__ = "doomed_objects"

    key: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(default=now, index=True)
    tries: Mapped[int] = mapped_column(default=0)
