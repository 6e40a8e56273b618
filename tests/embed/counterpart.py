"""Two real sites for the embed: a server with a scripted widget, and a shop whose pages a test
writes. The server is `localhost`, the shop `127.0.0.1`: other sites, not only other origins.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import WSGIApplication

from flask import Flask, Response, request
from werkzeug.serving import WSGIRequestHandler, make_server

from server.web import embed as embed_files

KEY = "pk_test_1"
# A widget that says it is ready and remembers what it is told. `silent` says nothing.
# The script stands first: where the input is, it has run.
WIDGET = """<!doctype html><title>widget</title>
<script>
  window.heard = [];
  addEventListener("message", ({ data }) => heard.push(data));
  window.say = (type, fields) =>
    parent.postMessage({ proteus: 1, nonce: window.name, type, ...fields }, "*");
  if (!location.search.includes("silent")) say("ready");
</script><input aria-label="inside" autofocus>"""


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""


@contextmanager
def serving(app: WSGIApplication) -> Iterator[int]:
    """Yields the port on which the app is served, each request in a thread of its own."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@dataclass
class FakeServer:
    """Boots whoever asks, and writes down what was asked. `refusal`: status and body instead."""

    port: int = 0
    boots: list[dict[str, Any]] = field(default_factory=list)
    refusal: tuple[int, Any] | None = None
    is_readable: bool = True  # whether the shop's page may read the answers
    widget: str = ""  # the query of the widget's address

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def reset(self) -> None:
        self.boots, self.refusal, self.widget, self.is_readable = [], None, "", True

    def app(self) -> Flask:
        app = Flask(__name__)
        app.register_blueprint(embed_files.blueprint)
        app.add_url_rule("/v1/sites/<pk>/boot", view_func=self._boot, methods=["POST", "OPTIONS"])
        app.add_url_rule("/w/<pk>", "widget", view_func=lambda pk: WIDGET)
        return app

    def _boot(self, pk: str) -> Response:
        response = Response()
        if self.is_readable:
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Headers"] = "content-type"
            return response
        self.boots.append({"pk": pk, "cookies": dict(request.cookies), **request.get_json()})
        status, body = self.refusal or (200, self._token(pk))
        response.status_code = status
        response.set_data(body if isinstance(body, str) else Flask("json").json.dumps(body))
        return response

    def _token(self, pk: str) -> dict[str, str]:
        return {
            "boot_token": f"token-{len(self.boots)}",
            "widget_url": f"{self.url}/w/{pk}?{self.widget}",
        }


@dataclass
class FakeShop:
    """Serves the page that a test has written, with the headers it wants."""

    port: int = 0
    html: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def app(self) -> Flask:
        app = Flask(__name__)
        app.add_url_rule("/", "page", view_func=lambda: Response(self.html, headers=self.headers))
        app.add_url_rule("/favicon.ico", "icon", view_func=lambda: Response(status=204))
        return app
