"""Shared by all pages of the dashboard: login check, CSRF, content-security policy, error pages.

Must not know a noun.
"""

from __future__ import annotations

from flask import Blueprint, Flask, Response, g, render_template, request
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
from server.rendering import csp, problems
from server.rendering.words import dashboard as said
from server.rendering.words import scripts
from server.rendering.words.dashboard import Notice
from server.web.dashboard import login

OPEN_ENDPOINTS = ("dashboard.log_in", "dashboard.static")
csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    # Off by default, because the API's callers have no session; `guard` checks on these pages.
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    csrf.init_app(app)


def surround(blueprint: Blueprint) -> None:
    """Registers this module's hooks and error handlers on the dashboard's blueprint."""
    blueprint.before_request(guard)
    blueprint.after_request(policy)
    blueprint.context_processor(words)
    blueprint.register_error_handler(Problem, problem)
    blueprint.register_error_handler(RedisError, away)
    blueprint.register_error_handler(HTTPException, http_problem)
    blueprint.register_error_handler(CSRFError, outdated)
    blueprint.register_error_handler(RateLimitExceeded, too_many)


def guard() -> ResponseReturnValue | None:
    """Before each request: redirects to the login if needed, and checks the CSRF token of every
    request that changes something."""
    if request.endpoint == "dashboard.static":
        return None
    if request.endpoint not in OPEN_ENDPOINTS and not current_user.is_authenticated:
        return login.to_login()
    csrf.protect()  # looks at POST, PUT, PATCH and DELETE only
    return None


def policy(response: Response) -> Response:
    """Sets the content-security policy: own files, the store's pictures, never in a frame."""
    settings = current_services().settings
    store = settings.store_origin or ""
    response.headers["Content-Security-Policy"] = csp.policy(
        script_src=csp.SELF,
        style_src=csp.SELF,
        img_src=(*csp.SELF, "blob:", store),
        connect_src=(*csp.SELF, csp.socket_origin(settings.server_url), store),
        form_action=csp.SELF,
        frame_ancestors=csp.NOBODY,
        base_uri=csp.NOBODY,
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint != "dashboard.static":
        response.headers["Cache-Control"] = "no-store"
    return response


def words() -> dict[str, object]:
    """Variables of every template."""
    return {
        "user": g.get("_login_user"),
        "categories": said.categories(),
        "script_words": scripts.sentences,
        "widget_static": "/w/static/{}".format,
        "live_attributes": live_attributes,
    }


def live_attributes() -> Markup:
    return Markup('hx-ext="ws" ws-connect="/v1/live"')


# --- problems ------------------------------------------------------------------------------------


def problem(error: Problem) -> ResponseReturnValue:
    """The error page of a refusal that no form shows beside a field; JSON for scripts."""
    if request.is_json or "application/json" in request.headers.get("Accept", ""):
        return problems.answer(error)
    return _page(said.refused(error)), error.status, error.headers


def away(_error: RedisError) -> ResponseReturnValue:
    return problem(Unavailable("redis"))


def http_problem(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error.get_response()  # werkzeug raises redirects, too
    return _page(said.failed(error.code)), error.code


@allow("anyone")
def nothing_here(rest: str) -> ResponseReturnValue:
    raise Problem(Code.NOT_FOUND, param=rest)


def outdated(_error: CSRFError) -> ResponseReturnValue:
    if request.endpoint == "dashboard.log_in":
        return login.page(problem=said.OUTDATED_LOGIN.said()), 400
    return _page(said.OUTDATED.said()), 400


def too_many(_error: RateLimitExceeded) -> ResponseReturnValue:
    limited = Problem(Code.RATE_LIMITED, retry_after_s=limits.retry_after_s())
    if request.endpoint != "dashboard.log_in":
        return problem(limited)
    email = request.form.get("email", "")
    return login.page(email=email, problem=said.TOO_MANY_LOGINS.said()), 429, limited.headers


def _page(notice: Notice) -> str:
    return render_template("dashboard/problem.html", title=notice.title, text=notice.text)
