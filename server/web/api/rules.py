"""API operations as table rows: route, allowed callers, schemas of body, query and answer.

Applies the decorators in the one order that works: authenticate, then rate limits, then the body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, TypedDict

from apiflask import APIBlueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel

from server.auth import allow
from server.infra.caller import CallerKind

View = Callable[..., ResponseReturnValue]
Model = type[BaseModel]

SHOPPER_OR_SECRET: tuple[CallerKind, ...] = ("shopper", "secret")


class Doc(TypedDict, total=False):
    """Keywords for APIFlask's `doc`."""

    hide: bool
    responses: dict[int, str]


class RouteOptions(TypedDict, total=False):
    """Keywords for Flask's `add_url_rule`."""

    provide_automatic_options: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One operation.

    route: method and path, such as `GET /photos/<photo_id>`.
    takes, query, gives: schemas of body, query and answer; `gives` None: an answer without body.
    limit: a further rate limit. limited: whether the caller's general one applies.
    doc: OpenAPI texts in place of `gives`.
    options: keywords for Flask's route.
    """

    route: str
    view: View
    callers: tuple[CallerKind | Literal["anyone"], ...]
    limit: Callable[[View], View] | None = None
    takes: Model | None = None
    query: Model | None = None
    gives: Model | None = None
    status: int = 200
    limited: bool = True
    doc: Doc | None = None
    options: RouteOptions = field(default_factory=RouteOptions)


def add(blueprint: APIBlueprint, rules: Iterable[Rule]) -> APIBlueprint:
    """Adds the operations to the blueprint, and returns it."""
    for rule in rules:
        method, _, path = rule.route.partition(" ")
        view = _decorated(blueprint, rule)
        blueprint.add_url_rule(path, view_func=view, methods=[method], **rule.options)
    return blueprint


def _decorated(blueprint: APIBlueprint, rule: Rule) -> View:
    # Applied from the inside out: what is added last runs first.
    view = rule.view
    if rule.doc is not None:
        view = blueprint.doc(**rule.doc)(view)
    else:
        view = blueprint.output(rule.gives or {}, status_code=rule.status)(view)
    if rule.takes is not None:
        view = blueprint.input(rule.takes)(view)
    if rule.query is not None:
        view = blueprint.input(rule.query, location="query")(view)
    if rule.limit is not None:
        view = rule.limit(view)
    return allow(*rule.callers, limited=rule.limited)(view)
