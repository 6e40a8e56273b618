"""Builds problem responses: a refusal as RFC 9457 JSON, with the request's id."""

from __future__ import annotations

from flask import Response, g, jsonify

from server.infra.errors import Problem
from server.rendering.words import problems as words

MIMETYPE = "application/problem+json"


def answer(problem: Problem) -> Response:
    response = jsonify(body(problem, request_id()))
    response.status_code = problem.status
    response.content_type = MIMETYPE
    response.headers.update(problem.headers)
    return response


def body(problem: Problem, request_id: str) -> dict[str, str | int | None]:
    return {
        "type": f"/docs#{problem.code}",
        "title": words.words(problem.code).title,
        "status": problem.status,
        "code": problem.code,
        "detail": words.detail(problem),
        "param": problem.param,
        "request_id": request_id,
    }


def request_id() -> str:
    """The id of this request; `-` if it failed before it got one."""
    return str(g.get("request_id", "-"))
