"""The widget's modules on an empty page of a server of their own."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.waiting import DEADLINE_S

STATIC = Path(__file__).parents[2] / "widget" / "static"


class _Files(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>modules</title><main id=stage></main>")
        return None

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="session")
def static_server() -> Iterator[str]:
    handler = functools.partial(_Files, directory=str(STATIC))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture
def page(browser: Browser, static_server: str) -> Iterator[Page]:
    """An empty page that can `import()` the modules."""
    made = browser.new_page()
    made.set_default_timeout(DEADLINE_S * 1000)
    made.goto(static_server)
    yield made
    made.close()
