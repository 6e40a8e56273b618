"""Login, logout, and the current user, by Flask-Login. Must not know the shop's nouns.

The cookie holds the token of a server-side session, so that a copy of the cookie is worthless once
that session has ended (server/domain/dashboard_sessions.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import htmx_flask
from flask import Flask, Response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from server.auth import allow, limits
from server.domain import dashboard_sessions, users
from server.infra import credentials
from server.infra.errors import Code, Problem
from server.infra.services import current_services
from server.models import DashboardSession, User, now
from server.rendering.words import dashboard as said
from server.web.dashboard import browsers

# Rate limits against guessing passwords: per address, and per account from all addresses.
TRIES_FROM = "30 per minute"
TRIES_FOR = "10 per minute"


class SessionLogin(LoginManager):  # type: ignore[misc]
    """Turns off Flask-Login's "remember me" cookie: it would be read on every response of every
    view, which would make public files vary by cookie."""

    def _update_remember_cookie(self, response: Response) -> Response:
        return response


login_manager = SessionLogin()


@dataclass(frozen=True)
class Person(UserMixin):  # type: ignore[misc]
    """The logged-in user of a request, with her session; detached from the database."""

    id: str
    email: str
    role: str
    merchant_id: str
    merchant_name: str
    session_id: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, row: DashboardSession, token: str) -> Person:
        user = row.user
        merchant = user.merchant
        return cls(user.id, user.email, user.role, merchant.id, merchant.name, row.id, token)

    @property
    def is_owner(self) -> bool:
        return self.role == "owner"

    def get_id(self) -> str:
        """What Flask-Login stores in the cookie: the session's token, not the user's id."""
        return self.token


def person() -> Person:
    person: Person = current_user
    return person


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load(token: str) -> Person | None:
    row = dashboard_sessions.find(current_services(), token, now())
    return Person.of(row, token) if row is not None else None


def _tried_from() -> str:
    return f"from:{limits.network()}"


def _tried_name() -> str:
    """The account whose password is tried: the logged-in user's, or the one named in the form."""
    if current_user.is_authenticated:
        return f"name:{person().email}"
    return "name:" + request.form.get("email", "").strip().lower()


limited_by_address = limits.limiter.shared_limit(
    TRIES_FROM, scope="passwords", key_func=_tried_from, methods=["POST"]
)


@allow("anyone")
@limited_by_address
def log_in() -> ResponseReturnValue:
    """Shows the login form (GET) or logs in (POST)."""
    if current_user.is_authenticated:
        return redirect(next_page(request.args.get("next")))
    if request.method == "GET":
        return page()
    email = request.form.get("email", "").strip().lower()
    user = check_password(email, request.form.get("password", ""))
    if user is None or not begin(user):
        return page(email=email, problem=said.WRONG_LOGIN.said()), 401
    return redirect(next_page(request.args.get("next")), 303)


@limits.limiter.shared_limit(TRIES_FOR, scope="passwords", key_func=_tried_name)
def check_password(email: str, password: str) -> User | None:
    """The user of this e-mail if the password is right, else None. Each call counts against
    TRIES_FOR."""
    user = users.find(current_services(), email)
    right = credentials.verify(password[:1024], user.password_hash if user else None)
    return user if right else None


def begin(user: User) -> bool:
    """Logs this browser in; False if the password has changed since it was checked."""
    token = dashboard_sessions.begin(
        current_services(),
        user.id,
        password_hash=user.password_hash,
        browser=browsers.in_words(request.user_agent.string),
    )
    found = load(token) if token is not None else None
    if found is None:
        return False
    session.clear()  # against session fixation: keep nothing from before the login
    session.permanent = True
    login_user(found)
    return True


@allow("anyone")
def log_out() -> ResponseReturnValue:
    if current_user.is_authenticated:
        me = person()  # if another request has ended it already, `end` does nothing
        dashboard_sessions.end(current_services(), me.id, me.session_id)
    logout_user()
    session.clear()
    return redirect(url_for("dashboard.log_in"), 303)


def page(**words: str | said.Notice | None) -> str:
    return render_template("dashboard/login.html", **{"email": "", "problem": None} | words)


def next_page(wanted: str | None) -> str:
    """Where to go after the login: `wanted` if it is a page of this dashboard, else the first one.
    Prevents open redirects."""
    home = url_for("dashboard.home")
    parts = urlsplit(wanted or "")
    if parts.scheme or parts.netloc or "\\" in parts.path or not parts.path.startswith(home):
        return home
    return parts.path + (f"?{parts.query}" if parts.query else "")


def to_login() -> ResponseReturnValue:
    """Redirects a page to the login (and back to it, for a GET); answers htmx and JSON requests
    with 401."""
    login_url = url_for("dashboard.log_in", next=request.full_path.rstrip("?"))
    if request.is_json or "application/json" in request.headers.get("Accept", ""):
        raise Problem(Code.NOT_AUTHENTICATED)
    if htmx_flask.request.htmx:
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
        PERMANENT_SESSION_LIFETIME=dashboard_sessions.IDLE,
    )
    # Its context processor would query the database, even for the page that says it is away.
    login_manager.init_app(app, add_context_processor=False)
