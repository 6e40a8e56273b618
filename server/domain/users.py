"""Dashboard users: find by e-mail, change the password, remove. The last two end all sessions.

Must not know requests. Sessions: `domain/dashboard_sessions`; creating a user: `domain/sites`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.domain import dashboard_sessions
from server.infra.credentials import hash_password
from server.infra.errors import Code, Problem
from server.infra.services import Services
from server.models import Merchant, User

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 256  # characters, as in the form


@dataclass(frozen=True, slots=True)
class Ended:
    """The user whose sessions were ended, and how many those were."""

    user: User
    sessions: int


def hash_of_new(password: str) -> str:
    """Checks the length of a new password and hashes it. Raises `Problem` invalid."""
    if len(password) < SHORTEST_PASSWORD:
        sentence = f"Use a password of at least {SHORTEST_PASSWORD} characters."
        raise Problem(Code.INVALID, sentence, param="password")
    if len(password) > LONGEST_PASSWORD:
        sentence = f"Use a password of at most {LONGEST_PASSWORD} characters."
        raise Problem(Code.INVALID, sentence, param="password")
    return hash_password(password)


def find(services: Services, email: str) -> User | None:
    with services.read() as session:
        return session.scalar(select(User).where(User.email == email))


def set_password(
    services: Services, email: str, password: str, *, known_hash: str | None = None
) -> Ended:
    """Changes a user's password and ends all of their sessions.

    `known_hash`: hash of the old password that the caller has verified; a compare-and-set, so that
    of two concurrent changes the second fails.

    Raises:
        Problem: invalid; not_found for an unknown e-mail; not_allowed if `known_hash` is outdated.
    """
    password_hash = hash_of_new(password)
    with services.work() as work:
        user = _locked(work.session, email)
        if known_hash not in (None, user.password_hash):
            raise Problem(Code.NOT_ALLOWED, "The password was changed meanwhile. Log in again.")
        user.password_hash = password_hash
        return Ended(user, dashboard_sessions.end_all(work.session, user.id))


def remove(services: Services, email: str) -> Ended:
    """Deletes a user and ends their sessions. Raises `Problem` not_found, or not_allowed for a
    merchant's last owner."""
    with services.work() as work:
        user = _locked(work.session, email)
        # Lock the merchant: two owners who remove each other at once must not both succeed.
        work.session.get(Merchant, user.merchant_id, with_for_update=True)
        if user.role == "owner" and _owners(work.session, user.merchant_id) == 1:
            raise Problem(
                Code.NOT_ALLOWED,
                f"{user.email} is the last owner of this merchant. Make another owner first: "
                f"nobody else could change its origins and keys.",
            )
        ended = Ended(user, dashboard_sessions.end_all(work.session, user.id))
        work.session.delete(user)
    return ended


def _locked(session: Session, email: str) -> User:
    query = select(User).where(User.email == email.strip().lower()).with_for_update()
    user = session.scalar(query)
    if user is None:
        raise Problem(Code.NOT_FOUND, f"There is no user {email}.")
    return user


def _owners(session: Session, merchant_id: str) -> int:
    owners = select(func.count()).where(User.merchant_id == merchant_id, User.role == "owner")
    return session.scalar(owners) or 0
