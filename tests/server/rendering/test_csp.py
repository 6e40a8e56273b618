"""The policies, byte for byte."""

from __future__ import annotations

import pytest

from server.app import create_app
from server.infra.services import EXTENSION
from server.rendering import csp
from server.web.api import docs
from server.web.widget import csp as widget_csp
from tests.server.actors import settings
from tests.services import S3Settings

STORE = "https://store.example"
SHOPS = ["https://shop.example", "https://www.shop.example"]
WIDGET = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' https://store.example; "
    "connect-src 'self' {socket} https://store.example; "
    "base-uri 'self'; form-action 'none'; frame-ancestors {origins}"
)
DASHBOARD = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:{store}; "
    "connect-src 'self' wss://proteus.example:8443{store}; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


def test_what_is_no_page_may_do_nothing() -> None:
    assert csp.CLOSED == "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"


def test_the_docs_load_their_own_style() -> None:
    assert docs.CSP == (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


@pytest.mark.parametrize(
    ("server", "socket"),
    [("http://localhost:8080", "ws://localhost:8080"), ("https://p.example", "wss://p.example")],
)
def test_the_widget_is_framed_by_its_shops_alone(server: str, socket: str) -> None:
    framed = WIDGET.format(socket=socket, origins=" ".join(SHOPS))
    assert widget_csp.policy(STORE, server, SHOPS) == framed
    assert widget_csp.policy(STORE, server, []) == WIDGET.format(socket=socket, origins="'none'")


@pytest.mark.parametrize("store_url", [None, STORE])
def test_the_dashboard_shows_pictures_and_stands_in_no_frame(
    store_url: str | None, redis_url: str, sqlite_url: str, store: S3Settings
) -> None:
    changes = {"server_url": "https://proteus.example:8443", "s3_endpoint_url": store_url}
    app = create_app(settings(redis_url, sqlite_url, store, **changes))
    answer = app.test_client().get("/dashboard/login")
    app.extensions[EXTENSION].close()
    told = answer.headers["Content-Security-Policy"]
    assert told == DASHBOARD.format(store=f" {store_url}" if store_url else "")
