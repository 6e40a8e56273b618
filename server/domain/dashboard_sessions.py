"""Who is logged in to the dashboard, and in which browser: begun, found again, ended at once.

A browser's cookie holds a random token, the row only its hash. Time is passed in where it decides.
Knows no request and no password: server/domain/users.py ends sessions when a password changes.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session, joinedload

from server.infra.credentials import hash_token
from server.infra.errors import Unavailable
from server.infra.services import Services
from server.models import DashboardSession, User

log = logging.getLogger(__name__)

LIFE = timedelta(days=30)  # from log-in, however often it is used
IDLE = timedelta(days=7)
SEEN_EVERY = timedelta(minutes=1)  # reading a page costs no write but for one a minute


def begin(services: Services, user_id: str, *, password_hash: str, browser: str) -> str | None:
    """The token of a new session, for the cookie alone.

    None where the password was changed, or the user removed, since `password_hash` was read: what
    ended all sessions must not be outlived by one that was about to begin.
    """
    token = secrets.token_urlsafe(32)
    with services.work() as work:
        user = work.session.get(User, user_id, with_for_update=True)
        if user is None or user.password_hash != password_hash:
            return None
        work.session.add(
            DashboardSession(
                user_id=user_id,
                token_hash=hash_token(token),
                browser=browser,
                created_at=work.now,
                last_seen_at=work.now,
                expires_at=work.now + LIFE,
            )
        )
    return token


def find(services: Services, token: str, now: datetime) -> DashboardSession | None:
    """The open session of this token, with its user and merchant, noted as seen."""
    with services.read() as session:
        person = joinedload(DashboardSession.user).joinedload(User.merchant)
        mine = DashboardSession.token_hash == hash_token(token)
        row = session.scalar(select(DashboardSession).where(mine, ~is_over(now)).options(person))
    if row is not None and row.last_seen_at <= now - SEEN_EVERY:
        _note_seen(services, row, now)
    return row


def is_open(services: Services, session_id: str, now: datetime) -> bool:
    """Whether a live socket that was opened in this session may still be told anything."""
    mine = DashboardSession.id == session_id
    with services.read() as session:
        return session.scalar(select(DashboardSession.id).where(mine, ~is_over(now))) is not None


def _note_seen(services: Services, row: DashboardSession, now: datetime) -> None:
    """Of several requests at once the first writes. A database too busy to write fails no page."""
    unseen = (DashboardSession.id == row.id) & (DashboardSession.last_seen_at <= now - SEEN_EVERY)
    try:
        with services.work() as work:
            work.session.execute(update(DashboardSession).where(unseen).values(last_seen_at=now))
    except Unavailable as error:
        log.warning("a session's last use is not noted: %s", error)


def is_over(now: datetime) -> ColumnElement[bool]:
    """Past its end, or unused for too long; the steward deletes those."""
    return (DashboardSession.expires_at <= now) | (DashboardSession.last_seen_at <= now - IDLE)


def listing(services: Services, user_id: str, now: datetime) -> Sequence[DashboardSession]:
    """A user's open sessions, the one used last first."""
    query = select(DashboardSession).where(DashboardSession.user_id == user_id, ~is_over(now))
    with services.read() as session:
        return session.scalars(query.order_by(DashboardSession.last_seen_at.desc())).all()


def end(services: Services, user_id: str, session_id: str) -> DashboardSession | None:
    """Ends one of this user's sessions. None for another's as for one that never was."""
    with services.work() as work:
        row = work.session.get(DashboardSession, session_id, with_for_update=True)
        if row is None or row.user_id != user_id:
            return None
        work.session.delete(row)
    return row


def end_others(services: Services, user_id: str, kept_id: str) -> int:
    """Ends all of this user's sessions but one; how many."""
    with services.work() as work:
        return end_all(work.session, user_id, kept_id=kept_id)


def end_all(session: Session, user_id: str, *, kept_id: str | None = None) -> int:
    """The same within somebody else's transaction."""
    mine = delete(DashboardSession).where(DashboardSession.user_id == user_id)
    if kept_id is not None:
        mine = mine.where(DashboardSession.id != kept_id)
    return len(session.execute(mine.returning(DashboardSession.id)).all())
