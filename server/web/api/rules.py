"""An operation of the API as one line of a table: where, who may call it, what it takes and gives.

Puts the decorators on in the one order that works: who calls is asked before limits, limits before
the body is read.
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
    """What APIFlask may be told of an operation."""

    hide: bool
    responses: dict[int, str]


class RouteOptions(TypedDict, total=False):
    """What Flask may be told of a route."""

    provide_automatic_options: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """`route`: method and path. `takes`, `query`, `gives`: the schemas of body, query and answer;
    `gives` None: an answer without body. `limit`: beside the caller's own, which `limited` turns
    off. `doc`: what the description says instead of an answer. `options`: Flask's own."""

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
    """The blueprint with these operations."""
    for rule in rules:
        method, _, path = rule.route.partition(" ")
        view = _decorated(blueprint, rule)
        blueprint.add_url_rule(path, view_func=view, methods=[method], **rule.options)
    return blueprint


def _decorated(blueprint: APIBlueprint, rule: Rule) -> View:
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
