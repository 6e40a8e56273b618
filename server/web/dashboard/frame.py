"""What surrounds every page of the dashboard: the login before it, its policy, its problems.

Knows no noun.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_limiter import RateLimitExceeded
from flask_login import current_user
from flask_wtf.csrf import CSRFError, CSRFProtect
from markupsafe import Markup
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from server.auth import allow, limits
from server.infra.errors import Code, Problem, Unavailable
from server.infra.services import current_services
from server.rendering.dashboard_fragments import CATEGORIES
from server.web.dashboard import login

OPEN_ENDPOINTS = ("dashboard.log_in", "dashboard.static")
csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    # The API's callers have no session, so the check is asked for here and is no default.
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    csrf.init_app(app)


def surround(blueprint: Blueprint) -> None:
    blueprint.before_request(guard)
    blueprint.after_request(policy)
    blueprint.context_processor(words)
    blueprint.register_error_handler(Problem, problem)
    blueprint.register_error_handler(RedisError, away)
    blueprint.register_error_handler(HTTPException, http_problem)
    blueprint.register_error_handler(CSRFError, outdated)
    blueprint.register_error_handler(RateLimitExceeded, too_many)


def guard() -> ResponseReturnValue | None:
    """Nobody gets past without a login, and no change without this session's CSRF token."""
    if request.endpoint == "dashboard.static":
        return None
    if request.endpoint not in OPEN_ENDPOINTS and not current_user.is_authenticated:
        return login.to_login()
    csrf.protect()
    return None


def policy(response: Response) -> Response:
    """The page may load its own files and the store's pictures, and stand in no frame."""
    settings = current_services().settings
    store = settings.store_origin or ""
    socket = urlsplit(settings.server_url)._replace(scheme="wss" if settings.is_https else "ws")
    response.headers["Content-Security-Policy"] = "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src 'self' blob: {store}".strip(),
            f"connect-src 'self' {socket.geturl()} {store}".strip(),
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ]
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint != "dashboard.static":
        response.headers["Cache-Control"] = "no-store"
    return response


def words() -> dict[str, Any]:
    """What the templates may say on every page."""
    return {
        "user": g.get("_login_user"),
        "categories": CATEGORIES,
        "widget_static": "/w/static/{}".format,
        "live_attributes": live_attributes,
    }


def live_attributes() -> Markup:
    return Markup('hx-ext="ws" ws-connect="/v1/live"')


# --- problems ------------------------------------------------------------------------------------

TITLES = {
    404: ("There is nothing here.", "It was deleted, or the address is not right."),
    429: ("That was a lot at once.", "Wait a minute, then try again."),
    500: ("Something went wrong on our side.", "Try again in a moment."),
    503: ("A part of Proteus is away.", "It usually is back within a minute. Try again then."),
}


def problem(error: Problem) -> ResponseReturnValue:
    """A refusal that no form could show beside a field."""
    if request.is_json or "application/json" in request.headers.get("Accept", ""):
        answer = jsonify(error.to_dict(str(g.get("request_id", "-"))))
        answer.content_type = "application/problem+json"
        return answer, error.status, error.headers
    title, text = TITLES.get(error.status, (f"{error.kind.title}.", error.detail))
    return _page(title, text), error.status, error.headers


def away(_error: RedisError) -> ResponseReturnValue:
    return problem(Unavailable("redis"))


def http_problem(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error.get_response()  # a redirect, no refusal
    title, text = TITLES.get(error.code, ("That did not work.", "Go back and try again."))
    return _page(title, text), error.code


@allow("anyone")
def nothing_here(rest: str) -> ResponseReturnValue:
    raise Problem(Code.NOT_FOUND, param=rest)


def outdated(_error: CSRFError) -> ResponseReturnValue:
    if request.endpoint == "dashboard.log_in":
        said = {"title": "This page was open for too long.", "text": "Log in again."}
        return login.page(problem=said), 400
    return _page("This page was open for too long.", "Go back, load it anew and try again."), 400


def too_many(_error: RateLimitExceeded) -> ResponseReturnValue:
    limited = Problem(Code.RATE_LIMITED, retry_after_s=limits.retry_after_s())
    if request.endpoint != "dashboard.log_in":
        return problem(limited)
    email = request.form.get("email", "")
    return login.page(email=email, problem=login.TOO_MANY), 429, limited.headers


def _page(title: str, text: str) -> str:
    return render_template("dashboard/problem.html", title=title, text=text)
