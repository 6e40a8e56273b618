"""Types of the parts of an OpenAPI description that `docs` reads and writes."""

from __future__ import annotations

from typing import TypedDict

Schema = TypedDict(
    "Schema",
    {
        "$ref": str,
        "type": str,
        "format": str,
        "description": str,
        "anyOf": list["Schema"],
        "enum": list[object],
        "const": object,
        "items": "Schema",
        "properties": dict[str, "Schema"],
        "required": list[str],
        "examples": list[object],
        "minLength": int,
        "maxLength": int,
    },
    total=False,
)
Parameter = TypedDict(
    "Parameter",
    {"name": str, "in": str, "required": bool, "description": str, "schema": Schema},
    total=False,
)


class Content(TypedDict, total=False):
    schema: Schema


class Holder(TypedDict, total=False):
    """A request body or a response, by media type."""

    description: str
    content: dict[str, Content]


class Operation(TypedDict, total=False):
    tags: list[str]
    summary: str
    description: str
    parameters: list[Parameter]
    requestBody: Holder
    responses: dict[str, Holder]
    security: list[dict[str, list[str]]]


class Tag(TypedDict):
    name: str
    description: str


class Components(TypedDict, total=False):
    schemas: dict[str, Schema]


class Spec(TypedDict):
    tags: list[Tag]
    paths: dict[str, dict[str, Operation]]
    components: Components
