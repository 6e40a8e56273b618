"""Application factory: settings, services, blueprints, error handlers, headers of responses."""

from __future__ import annotations

import re
import secrets
import time

import structlog
from apiflask import APIBlueprint, APIFlask
from apiflask.exceptions import HTTPError
from flask import Flask, Response, current_app, g, request
from flask.typing import ResponseReturnValue
from htmx_flask import Htmx
from redis.exceptions import RedisError
from sqlalchemy.exc import DataError
from werkzeug.exceptions import HTTPException, TooManyRequests
from werkzeug.middleware.proxy_fix import ProxyFix

import server.nouns  # noqa: F401 - fills the registry that live sockets and files read
from server import auth
from server.auth import limits
from server.config import Settings
from server.infra.errors import Code, Problem, Unavailable
from server.infra.services import EXTENSION, Services, current_services
from server.rendering import csp, problems
from server.rendering.words import language
from server.web import api, dashboard, health, internal, live, widget
from server.web import embed as embed_files

VERSION = "0.1.0"
MOST_JSON_BYTES = 64 * 1024  # files go to the store, so no request needs more
_REQUEST_ID = re.compile(r"^[A-Za-z0-9_.-]{8,64}$")
# Probes and scrapes come every few seconds and would fill the log.
_QUIET = ("/healthz", "/readyz", "/metrics", "/internal/scale")
log = structlog.get_logger("server.http")


def create_app(settings: Settings | None = None, services: Services | None = None) -> APIFlask:
    """The WSGI application; opens no connection yet. `services`: given instead of made (tests).

    Raises:
        SettingsError: `settings` is None and the environment is wrong.
    """
    settings = settings or Settings.from_env()
    app = APIFlask(__name__, title="Proteus", version=VERSION, docs_path=None)
    services = services or Services.from_settings(settings)
    app.extensions[EXTENSION] = services
    app.config.update(
        SECRET_KEY=auth.signing_key(services, "session"),
        MAX_CONTENT_LENGTH=MOST_JSON_BYTES,
        MAX_FORM_MEMORY_SIZE=MOST_JSON_BYTES,
        TRAP_HTTP_EXCEPTIONS=False,
    )
    _trust_proxies(app, settings)
    _number_requests(app)
    limits.init_app(app, settings)
    language.init_app(app)
    Htmx(app)
    for door in (health, internal, api, embed_files, widget, dashboard, live):
        door.register(app, settings)
    _describe_api_only(app)
    _answer_problems(app)
    return app


def _describe_api_only(app: APIFlask) -> None:
    """Keeps other blueprints out of the OpenAPI description: APIFlask reads `enable_openapi` of
    every blueprint, and plain Flask ones lack it."""
    for blueprint in app.blueprints.values():
        if not isinstance(blueprint, APIBlueprint):
            blueprint.enable_openapi = False  # type: ignore[attr-defined]


def _trust_proxies(app: Flask, settings: Settings) -> None:
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, hops, hops, hops)  # type: ignore[method-assign]


# --- every request -------------------------------------------------------------------------------


def _number_requests(app: Flask) -> None:
    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.match(given) else f"req_{secrets.token_hex(8)}"
        g.began = time.monotonic()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = problems.request_id()
        _protect(response, current_services().settings)
        if request.path not in _QUIET:
            _note(response)
        return response


def _protect(response: Response, settings: Settings) -> None:
    """Security headers of every response; what a view has set itself is kept."""
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Content-Security-Policy", csp.CLOSED)
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if settings.is_https:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def _note(response: Response) -> None:
    caller = auth.current_caller()
    log.info(
        "request",
        method=request.method,
        route=str(request.url_rule or "-"),  # not the path: it may hold ids
        status=response.status_code,
        ms=round((time.monotonic() - g.get("began", time.monotonic())) * 1000, 1),
        caller=caller.kind if caller else "-",
        site=caller.site_id if caller else None,
    )


# --- every refusal -------------------------------------------------------------------------------

_UNSTORABLE = Problem(Code.INVALID, "It holds a character that cannot be stored.")
_BY_STATUS = {
    400: Code.BAD_REQUEST,
    401: Code.NOT_AUTHENTICATED,
    403: Code.NOT_ALLOWED,
    404: Code.NOT_FOUND,
    405: Code.METHOD_NOT_ALLOWED,
    410: Code.GONE,
    413: Code.BODY_TOO_LARGE,
    415: Code.UNSUPPORTED_MEDIA_TYPE,
    422: Code.INVALID,
    429: Code.RATE_LIMITED,
    503: Code.UNAVAILABLE,
}


def _answer_problems(app: APIFlask) -> None:
    app.register_error_handler(Problem, _problem)
    app.register_error_handler(DataError, lambda _: _told_by_its_door(_UNSTORABLE))
    # JSON that is nested too deep for Python's parser. Logged with its traceback, in case the
    # recursion is a bug of ours.
    app.register_error_handler(RecursionError, _too_deep)
    app.register_error_handler(RedisError, lambda _: _told_by_its_door(Unavailable("redis")))
    app.error_processor(_invalid)  # also registers for HTTPException; the next line overrides that
    app.register_error_handler(HTTPException, _http_exception)


def _problem(problem: Problem) -> Response:
    if isinstance(problem, Unavailable):
        log.warning("unavailable", what=problem.what)
    return problems.answer(problem)


def _too_deep(_error: RecursionError) -> Response:
    log.warning("too deep", exc_info=True)
    return _problem(Problem(Code.BAD_JSON))


def _told_by_its_door(problem: Problem) -> ResponseReturnValue:
    """Passes the problem to the handler of the request's blueprint: pages answer in HTML."""
    return current_app.handle_user_exception(problem)


def _http_exception(error: HTTPException) -> ResponseReturnValue:
    if isinstance(error, TooManyRequests):
        wait_s = limits.retry_after_s()
        return _told_by_its_door(Problem(Code.RATE_LIMITED, retry_after_s=wait_s))
    if error.code is not None and error.code < 400:
        return Response(status=error.code, headers=error.get_headers())
    code = _code_of(error.code or 500)
    allow = {name: value for name, value in error.get_headers() if name == "Allow"}
    return _told_by_its_door(Problem(code, headers=allow))


def _code_of(status: int) -> Code:
    if status == 400 and request.is_json:
        return Code.BAD_JSON
    return _BY_STATUS.get(status, Code.INTERNAL)


def _invalid(error: HTTPError) -> Response:
    """Pydantic's validation errors as one problem: `param` is the first field, `detail` has all."""
    found: dict[str, list[str]] = next(iter(error.detail.values()), {}) if error.detail else {}
    if error.status_code != 422 or not found:
        return _problem(Problem(_BY_STATUS.get(error.status_code, Code.INTERNAL)))
    words = [f"{name}: {'; '.join(messages)}" for name, messages in found.items()]
    first = next(iter(found))
    param = None if first == "_schema" else first
    return _problem(Problem(Code.INVALID, ". ".join(words) + ".", param=param))
