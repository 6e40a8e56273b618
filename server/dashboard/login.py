"""Log in, log out, and who the person at the browser is. Knows no noun of the shop."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask, Response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from server import credentials, limits
from server.auth import allow
from server.errors import Problem
from server.models import User
from server.services import current_services

SESSION_LIFETIME = timedelta(days=7)
# Guessing is slowed by address, and by name from wherever it comes.
TRIES_FROM = "30 per minute"
TRIES_FOR = "10 per minute"


class SessionLogin(LoginManager):  # type: ignore[misc]
    """Remembers nobody beyond her session. Flask-Login would look for its own cookie at every
    answer of every door, and so make public files vary by cookie."""

    def _update_remember_cookie(self, response: Response) -> Response:
        return response


login_manager = SessionLogin()


@dataclass(frozen=True)
class Person(UserMixin):  # type: ignore[misc]
    """Somebody logged in, as the pages need her; detached from the database."""

    id: str
    email: str
    role: str
    merchant_id: str
    merchant_name: str
    fingerprint: str

    @classmethod
    def of(cls, user: User) -> Person:
        return cls(
            user.id, user.email, user.role, user.merchant_id, user.merchant.name, _fingerprint(user)
        )

    @property
    def is_owner(self) -> bool:
        return self.role == "owner"

    def get_id(self) -> str:
        """What the session remembers. A new password ends every session that knew the old one."""
        return f"{self.id}.{self.fingerprint}"


def person() -> Person:
    return cast(Person, current_user)


def _fingerprint(user: User) -> str:
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:16]


def _find(db: Session, **by: str) -> User | None:
    return db.scalar(select(User).filter_by(**by).options(joinedload(User.merchant)))


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load(remembered: str) -> Person | None:
    user_id, _, fingerprint = remembered.partition(".")
    with current_services().read() as db:
        user = _find(db, id=user_id)
        if user is None or _fingerprint(user) != fingerprint:
            return None
        return Person.of(user)


def _tried_from() -> str:
    return f"from:{limits.network()}"


def _tried_name() -> str:
    return "name:" + request.form.get("email", "").strip().lower()


@allow("anyone")
@limits.limiter.limit(TRIES_FROM, key_func=_tried_from, methods=["POST"])
def log_in() -> ResponseReturnValue:
    """The form, and its answer."""
    if current_user.is_authenticated:
        return redirect(next_page(request.args.get("next")))
    if request.method == "GET":
        return page()
    email = request.form.get("email", "").strip().lower()
    found = _authenticated(email, request.form.get("password", ""))
    if found is None:
        return page(email=email, problem=WRONG), 401
    session.clear()  # whatever somebody planted before is not carried into the login
    session.permanent = True
    login_user(found)
    return redirect(next_page(request.args.get("next")), 303)


@limits.limiter.limit(TRIES_FOR, key_func=_tried_name)
def _authenticated(email: str, password: str) -> Person | None:
    with current_services().read() as db:
        user = _find(db, email=email)
        found = Person.of(user) if user else None
        password_hash = user.password_hash if user else None
    return found if credentials.verify(password[:1024], password_hash) else None


@allow("anyone")
def log_out() -> ResponseReturnValue:
    logout_user()
    session.clear()
    return redirect(url_for("dashboard.log_in"), 303)


WRONG = {
    "title": "That email and password don't go together.",
    "text": "Check both and try again.",
}
TOO_MANY = {
    "title": "That was a lot of tries.",
    "text": "Wait a minute, then try again.",
}


def page(**words: Any) -> str:
    return render_template("dashboard/login.html", **{"email": "", "problem": None} | words)


def next_page(wanted: str | None) -> str:
    """A page of this dashboard, whatever the address bar asked for."""
    home = url_for("dashboard.home")
    parts = urlsplit(wanted or "")
    if parts.scheme or parts.netloc or "\\" in parts.path or not parts.path.startswith(home):
        return home
    return parts.path + (f"?{parts.query}" if parts.query else "")


def to_login() -> ResponseReturnValue:
    """Sends a page to the login and back; says 401 to what is no page."""
    login_url = url_for("dashboard.log_in", next=request.full_path.rstrip("?"))
    if request.is_json or "application/json" in request.headers.get("Accept", ""):
        raise Problem("not_authenticated")
    if request.headers.get("HX-Request"):
        return "", 401, {"HX-Redirect": url_for("dashboard.log_in")}
    if request.method != "GET":
        return redirect(url_for("dashboard.log_in"), 303)
    return redirect(login_url)


def init_app(app: Flask, *, is_https: bool) -> None:
    app.config.update(
        SESSION_COOKIE_NAME="proteus_dashboard",
        SESSION_COOKIE_PATH="/dashboard",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=is_https,
        PERMANENT_SESSION_LIFETIME=SESSION_LIFETIME,
    )
    # Its context processor would ask the database again for a page that says the database is away.
    login_manager.init_app(app, add_context_processor=False)
