"""Server-side login sessions of the dashboard, one per user and browser; each can be revoked.

The cookie holds a random token, the row only its hash. Must not know requests and passwords:
server/domain/users.py ends sessions when a password changes.
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

LIFE = timedelta(days=30)  # absolute timeout, counted from the login
IDLE = timedelta(days=7)  # idle timeout, counted from the last request
SEEN_EVERY = timedelta(minutes=1)  # `last_seen_at` is written at most this often, not per request


def begin(services: Services, user_id: str, *, password_hash: str, browser: str) -> str | None:
    """Starts a session; returns its token, which belongs in the cookie and nowhere else.

    None if the password was changed or the user removed since `password_hash` was read. Without
    that check a login in progress could survive the end of all sessions.
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
    """The open session of this token with its user and merchant loaded; updates `last_seen_at`."""
    with services.read() as session:
        person = joinedload(DashboardSession.user).joinedload(User.merchant)
        mine = DashboardSession.token_hash == hash_token(token)
        row = session.scalar(select(DashboardSession).where(mine, ~is_over(now)).options(person))
    if row is not None and row.last_seen_at <= now - SEEN_EVERY:
        _note_seen(services, row, now)
    return row


def is_open(services: Services, session_id: str, now: datetime) -> bool:
    """Whether a live socket that was opened in this session may still be sent anything."""
    mine = DashboardSession.id == session_id
    with services.read() as session:
        return session.scalar(select(DashboardSession.id).where(mine, ~is_over(now))) is not None


def _note_seen(services: Services, row: DashboardSession, now: datetime) -> None:
    """Sets `last_seen_at`; of concurrent requests only the first writes. A busy database costs the
    note, not the page."""
    unseen = (DashboardSession.id == row.id) & (DashboardSession.last_seen_at <= now - SEEN_EVERY)
    try:
        with services.work() as work:
            work.session.execute(update(DashboardSession).where(unseen).values(last_seen_at=now))
    except Unavailable as error:
        log.warning("a session's last use is not noted: %s", error)


def is_over(now: datetime) -> ColumnElement[bool]:
    """SQL condition: the session is past LIFE or IDLE. The steward deletes such rows."""
    return (DashboardSession.expires_at <= now) | (DashboardSession.last_seen_at <= now - IDLE)


def listing(services: Services, user_id: str, now: datetime) -> Sequence[DashboardSession]:
    """A user's open sessions, most recently used first."""
    query = select(DashboardSession).where(DashboardSession.user_id == user_id, ~is_over(now))
    with services.read() as session:
        return session.scalars(query.order_by(DashboardSession.last_seen_at.desc())).all()


def end(services: Services, user_id: str, session_id: str) -> DashboardSession | None:
    """Ends one of this user's sessions and returns it; None if it is unknown or another user's."""
    with services.work() as work:
        row = work.session.get(DashboardSession, session_id, with_for_update=True)
        if row is None or row.user_id != user_id:
            return None
        work.session.delete(row)
    return row


def end_others(services: Services, user_id: str, kept_id: str) -> int:
    """Ends all of this user's sessions except one; returns how many."""
    with services.work() as work:
        return end_all(work.session, user_id, kept_id=kept_id)


def end_all(session: Session, user_id: str, *, kept_id: str | None = None) -> int:
    """Ends all sessions of a user but `kept_id`, in the caller's transaction; returns how many."""
    mine = delete(DashboardSession).where(DashboardSession.user_id == user_id)
    if kept_id is not None:
        mine = mine.where(DashboardSession.id != kept_id)
    return len(session.execute(mine.returning(DashboardSession.id)).all())
