"""Probes: /healthz is liveness (the process answers), /readyz readiness (its dependencies do)."""

from __future__ import annotations

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import Flask
from redis.exceptions import RedisError

from server.auth import allow
from server.config import Settings
from server.infra.errors import RETRY_AFTER_S, Unavailable
from server.infra.services import current_services

blueprint = APIBlueprint("health", __name__, enable_openapi=False)


def register(app: Flask, _settings: Settings) -> None:
    app.register_blueprint(blueprint)


@allow("anyone", limited=False)
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@allow("anyone", limited=False)
def readyz() -> tuple[dict[str, str | bool], int, dict[str, str]]:
    services = current_services()
    checks = {
        "database": _answers(services.database.ping),
        "redis": _answers(services.redis.ping),
        "store": _answers(services.store.ping),
    }
    if all(checks.values()):
        return {"status": "ok", **checks}, 200, {}
    return {"status": "unavailable", **checks}, 503, {"Retry-After": str(RETRY_AFTER_S)}


def _answers(ping: Callable[[], object]) -> bool:
    try:
        ping()
    except (RedisError, Unavailable):
        return False
    return True


for rule, view in (("/healthz", healthz), ("/readyz", readyz)):
    blueprint.add_url_rule(rule, view_func=view)
