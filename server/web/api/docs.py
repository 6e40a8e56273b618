"""/openapi.json and /docs: the OpenAPI description and a page rendered from it, which loads nothing
from other servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from apiflask import APIFlask
from flask import Blueprint, Response, current_app, make_response, render_template

from server.auth import allow
from server.config import Settings
from server.infra.errors import STATUSES
from server.rendering import csp, problems
from server.rendering.words.language import locale
from server.rendering.words.problems import words
from server.web.api import schemas
from server.web.api.openapi import Holder, Operation, Parameter, Schema, Spec

blueprint = Blueprint(
    "docs", __name__, template_folder="templates", static_folder="static", url_prefix="/docs"
)
METHODS = ("get", "post", "put", "patch", "delete")
CSP = csp.policy(
    style_src=csp.SELF, img_src=csp.SELF, frame_ancestors=csp.NOBODY, base_uri=csp.NOBODY
)
PAGE = "proteus:docs"

DESCRIPTION = (
    "Proteus puts a fitting room on a product page. Send Authorization: Bearer with a shopper "
    "token (the widget) or a secret key (your own backend, never a browser). A shopper's photo is "
    "hers alone, and so is her picture until she shares it. Every refusal has one shape; unknown "
    "and foreign ids both answer 404."
)
TAGS = {
    "Shoppers": "From the shop's page to a shopper token, and forgetting her.",
    "Photos": "A shopper's photo: handed over, checked, deleted.",
    "Garments": "What a site lets shoppers try on.",
    "Try-ons": "One picture of a photo in a garment.",
    "Files": "Uploads and downloads, straight to and from the object store.",
    "Live": "Tickets for the live socket, which tells every change.",
}
IDEMPOTENCY_KEY: Parameter = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body within 24 h give the same try-on.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}


def register(app: APIFlask, settings: Settings) -> None:
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        SERVERS=[{"url": settings.server_url}],
        DESCRIPTION=DESCRIPTION,
        SECURITY_SCHEMES={
            "shopper": {"type": "http", "scheme": "bearer", "description": "A shopper token."},
            "secret": {"type": "http", "scheme": "bearer", "description": "A secret key."},
        },
        # Instead, `_finish` gives every operation one `default` response for all refusals.
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_404_RESPONSE=False,
        SPEC_DECORATORS=[allow("anyone")],
    )
    app.spec_callback = _finish
    app.register_blueprint(blueprint)


# --- /openapi.json -------------------------------------------------------------------------------


def _finish(made: Any) -> Any:
    """Completes the description: who may call each operation, and the response of a refusal."""
    spec: Spec = made
    spec["tags"] = [{"name": name, "description": words} for name, words in TAGS.items()]
    spec["paths"].pop("/v1/live", None)  # a socket is nothing that OpenAPI can describe
    schema: Any = schemas.Problem.model_json_schema()
    spec["components"].setdefault("schemas", {})["Problem"] = schema
    for method, path, operation in _walk(spec):
        schemes = [kind for kind in _callers(method, path) if kind in ("shopper", "secret")]
        operation["security"] = [{scheme: []} for scheme in schemes]
        operation["responses"]["default"] = {
            "description": "A refusal",
            "content": {problems.MIMETYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    spec["paths"]["/v1/try-ons"]["post"].setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    return spec


def _walk(spec: Spec) -> Iterator[tuple[str, str, Operation]]:
    for path, item in spec["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def _callers(method: str, path: str) -> tuple[str, ...]:
    for rule in current_app.url_map.iter_rules():
        written = rule.rule.replace("<path:", "<").replace("<", "{").replace(">", "}")
        if written == path and method.upper() in (rule.methods or ()):
            view = current_app.view_functions[rule.endpoint]
            return tuple(getattr(view, "callers", ()))
    return ()


# --- /docs ---------------------------------------------------------------------------------------


@blueprint.get("")
@allow("anyone")
def read_docs() -> Response:
    page = f"{PAGE}:{locale()}"
    if page not in current_app.extensions:  # it changes with the code only
        app: Any = current_app
        spec: Spec = app.spec
        current_app.extensions[page] = render_template(
            "api/docs.html",
            spec=spec,
            groups=_groups(spec),
            refusals=[(code, status, words(code)) for code, status in STATUSES.items()],
        )
    response = make_response(current_app.extensions[page])
    response.headers["Content-Security-Policy"] = CSP
    return response


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Told:
    """An operation for the template of /docs. `example`: of the request body."""

    method: str
    path: str
    summary: str
    description: str | None
    callers: tuple[str, ...]
    parameters: list[Field]
    body: list[Field]
    example: object
    status: str
    answer: list[Field]


def _groups(spec: Spec) -> dict[str, list[Told]]:
    """Operations by tag, in the order of TAGS."""
    groups: dict[str, list[Told]] = {name: [] for name in TAGS}
    for method, path, operation in _walk(spec):
        groups[operation["tags"][0]].append(_told(spec, method, path, operation))
    return groups


def _told(spec: Spec, method: str, path: str, operation: Operation) -> Told:
    body = _schema(spec, operation.get("requestBody"))
    status = next(code for code in operation["responses"] if code != "default")
    return Told(
        method=method.upper(),
        path=path,
        summary=operation["summary"].rstrip("."),
        description=operation.get("description"),
        callers=_callers(method, path),
        parameters=[
            _parameter(spec, parameter)
            for parameter in operation.get("parameters", [])
            if parameter["in"] != "path"
        ],
        body=_fields(spec, body),
        example=next(iter(body.get("examples", [])), None),
        status=status,
        answer=[
            replace(field, required=False)  # answers always have all fields: do not mark them
            for field in _fields(spec, _schema(spec, operation["responses"][status]))
        ],
    )


def _parameter(spec: Spec, parameter: Parameter) -> Field:
    schema = parameter["schema"]
    words = parameter.get("description", schema.get("description", ""))
    return Field(parameter["name"], _type(spec, schema), parameter.get("required", False), words)


def _schema(spec: Spec, holder: Holder | None) -> Schema:
    content = holder.get("content", {}) if holder else {}
    return _resolved(spec, content.get("application/json", {}).get("schema", {}))


def _resolved(spec: Spec, schema: Schema) -> Schema:
    while "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _fields(spec: Spec, schema: Schema) -> list[Field]:
    required = schema.get("required", [])
    return [
        Field(name, _type(spec, inner), name in required, inner.get("description", ""))
        for name, inner in schema.get("properties", {}).items()
    ]


def _type(spec: Spec, schema: Schema) -> str:
    schema = _resolved(spec, schema)
    if "anyOf" in schema:
        return " or ".join(_type(spec, option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(word) for word in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type(spec, schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", "any"))
