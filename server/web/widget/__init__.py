"""Views of the widget, below /w: one document and htmx fragments, one file per noun.

Rules are in the domain, HTML comes from `rendering/fragments`. Does not use the JSON API.
"""

from __future__ import annotations

from flask import Blueprint, Flask, Response

from server.config import Settings
from server.infra.errors import Problem
from server.rendering import fragments
from server.rendering.words.widget import GARMENT_CODES, PROBLEMS, SESSION_CODES
from server.web.widget import document, photos, shopper, try_ons


def register(app: Flask, _settings: Settings) -> None:
    """Adds the widget to the app."""
    app.register_blueprint(_blueprint())


def _blueprint() -> Blueprint:
    blueprint = Blueprint("widget", __name__, url_prefix="/w")
    blueprint.register_error_handler(Problem, _problem)
    for method, rule, view in (
        ("GET", "/<pk>", document.document),
        ("GET", "/<pk>/theme.css", document.theme),
        ("GET", "/static/<path:path>", document.static_file),
        ("GET", "/<pk>/states/<state>", document.sample),
        ("GET", "/<pk>/start", shopper.start),
        ("DELETE", "/<pk>/shopper", shopper.delete_shopper),
        ("POST", "/<pk>/photos", photos.create_photo),
        ("POST", "/<pk>/photos/<photo_id>/person", photos.choose_person),
        ("POST", "/<pk>/try-ons", try_ons.create_try_on),
        ("GET", "/<pk>/try-ons/<try_on_id>", try_ons.read_try_on),
        ("DELETE", "/<pk>/try-ons/<try_on_id>", try_ons.delete_try_on),
        ("POST", "/<pk>/try-ons/<try_on_id>/cancel", try_ons.cancel_try_on),
    ):
        blueprint.add_url_rule(rule, view_func=view, methods=[method])
    return blueprint


def _problem(problem: Problem) -> Response:
    """A refusal as a card, which htmx swaps in like any other fragment."""
    card = fragments.problem(problem.code, retry=_retry(problem))
    response = Response(card, problem.status)
    response.headers.update(problem.headers)
    return response


def _retry(problem: Problem) -> str | None:
    """The action, in main.js, of the card's button; None: it closes the widget."""
    if problem.code in SESSION_CODES:
        return "restart"
    if problem.code in GARMENT_CODES:
        return None
    return "start" if problem.code in PROBLEMS or problem.status >= 500 else "photo"
