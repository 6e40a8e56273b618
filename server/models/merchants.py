"""The tables of merchants, users, login sessions, sites and secret keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server.models.base import Base, new_id, now


class Merchant(Base):
    """Who pays: the account that owns sites and users."""

    __tablename__ = "merchants"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("mer"))
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class User(Base):
    """A person who logs in to the dashboard. `role`: `owner` or `staff`."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("usr"))
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.id"), index=True)
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)

    merchant: Mapped[Merchant] = relationship()


class DashboardSession(Base):
    """A login session of one user in one browser. The cookie holds a token, the row only its hash.
    `browser`: a short name such as `Firefox on Windows`. Ends at `expires_at`, or after a week
    without use."""

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
    allowed_origins: Mapped[list[str]] = mapped_column(default=list)
    accent: Mapped[str] = mapped_column(default="#3b4cca")
    created_at: Mapped[datetime] = mapped_column(default=now)

    merchant: Mapped[Merchant] = relationship()


class SecretKey(Base):
    """A secret key (`sk_live_…`, `sk_test_…`), stored as a hash; its clear text is shown once.
    `hint`: its last four characters."""

    __tablename__ = "secret_keys"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("key"))
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    mode: Mapped[str]
    hint: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    revoked_at: Mapped[datetime | None]

    site: Mapped[Site] = relationship()
