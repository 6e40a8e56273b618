"""Every route names its callers."""

from __future__ import annotations

import pytest
from apiflask import APIFlask

from server.app import create_app
from tests.server.actors import settings
from tests.services import S3Settings

CALLERS = {"anyone", "embed", "shopper", "secret", "user"}
FRAMEWORK = {"static", "openapi.spec"}  # files, and what the framework itself answers
WITHOUT_LOGIN = {"/dashboard/login", "/dashboard/logout", "/dashboard/<path:rest>"}


@pytest.fixture(scope="module")
def app() -> APIFlask:
    nowhere = S3Settings("http://unused", "proteus", "id", "secret")
    return create_app(settings("redis://unused", "sqlite://", nowhere))


def _is_ours(endpoint: str) -> bool:
    return endpoint not in FRAMEWORK and not endpoint.endswith(".static")


def _callers(app: APIFlask, endpoint: str) -> set[str]:
    return set(getattr(app.view_functions[endpoint], "callers", ()))


def test_every_route_names_its_callers(app: APIFlask) -> None:
    ours = {name: _callers(app, name) for name in app.view_functions if _is_ours(name)}
    assert {name for name, callers in ours.items() if not callers} == set()
    assert {name for name, callers in ours.items() if not callers <= CALLERS} == set()


def test_nobody_but_a_user_gets_at_the_dashboard(app: APIFlask) -> None:
    pages = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/dashboard")]
    open_pages = {page.rule for page in pages if "anyone" in _callers(app, page.endpoint)}
    assert open_pages == WITHOUT_LOGIN
