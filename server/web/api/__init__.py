"""The public API, `/v1`: one file per noun, put together here, and its OpenAPI description."""

from __future__ import annotations

from apiflask import APIFlask
from flask import request

from server.config import Settings
from server.infra.errors import Code, Problem
from server.web.api import (
    boot,
    docs,
    files,
    garments,
    live_tickets,
    photos,
    shopper_tokens,
    try_ons,
    uploads,
)

NOUNS = (boot, shopper_tokens, live_tickets, uploads, photos, garments, try_ons, files)


def register(app: APIFlask, settings: Settings) -> None:
    app.before_request(refuse_what_is_not_json)
    for noun in NOUNS:
        app.register_blueprint(noun.blueprint)
    docs.register(app, settings)


def refuse_what_is_not_json() -> None:
    """APIFlask would read JSON out of any content type."""
    sent = request.path.startswith("/v1/") and request.method in ("POST", "PATCH")
    holds = request.content_length or "Transfer-Encoding" in request.headers
    if sent and holds and not request.is_json:
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE)
