"""A shop page with the snippet, in Chromium, with the scripted server behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Frame, Locator, Page

from tests.embed.counterpart import KEY, FakeServer, FakeShop, serving
from tests.waiting import DEADLINE_S

BUTTON = '<button type="button" data-proteus-garment="tee-1">Try it on</button>'
LISTEN = """
  window.events = [];
  for (const name of ["open", "status", "result", "add-to-cart", "error", "close"])
    document.addEventListener("proteus:" + name, (event) =>
      events.push([name, event.detail, event.target.id || event.target.nodeName]));
  window.violations = [];
  addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


@pytest.fixture(scope="session")
def server_site() -> Iterator[FakeServer]:
    server = FakeServer()
    with serving(server.app()) as server.port:
        yield server


@pytest.fixture(scope="session")
def shop_site() -> Iterator[FakeShop]:
    shop = FakeShop()
    with serving(shop.app()) as shop.port:
        yield shop


@dataclass
class Desk:
    """What a test of the embed has in hand."""

    page: Page
    server: FakeServer
    shop: FakeShop

    @property
    def script(self) -> str:
        source = f"{self.server.url}/embed/v1/proteus.js"
        return f'<script async src="{source}" data-site="{KEY}"></script>'

    def visit(
        self,
        body: str = BUTTON,
        *,
        head: str = "",
        html: str = "<html lang=en>",
        listening: bool = True,
    ) -> None:
        """Opens a shop page with the snippet in its head, and waits until the embed listens."""
        self.shop.html = (
            f"<!doctype html>{html}<head><title>shop</title>{head}{self.script}</head>"
            f"<body>{body}</body></html>"
        )
        self.page.add_init_script(LISTEN)
        self.page.goto(self.shop.url)
        if listening:
            self.page.wait_for_function("() => !!customElements.get('proteus-tryon')")

    def open(self, selector: str = "[data-proteus-garment]") -> Frame:
        """Clicks, and waits until the widget has been told its token."""
        self.page.click(selector)
        return self.widget()

    def widget(self) -> Frame:
        """The widget's frame, once it has been told its token."""
        frame = self.page.locator("proteus-room iframe").element_handle().content_frame()
        assert frame
        frame.wait_for_function("window.heard?.some(({ type }) => type === 'init')")
        return frame

    @property
    def dialog(self) -> Locator:
        return self.page.locator("proteus-room dialog")

    def events(self, name: str | None = None) -> list[Any]:
        told: list[Any] = self.page.evaluate("events")
        return [detail for type_, detail, _ in told if name in (None, type_)]

    def expect_event(self, name: str) -> Any:
        self.page.wait_for_function("(name) => events.some(([type]) => type === name)", arg=name)
        return self.events(name)[-1]


@pytest.fixture
def desk(browser: Browser, server_site: FakeServer, shop_site: FakeShop) -> Iterator[Desk]:
    server_site.reset()
    shop_site.headers = {}
    context = browser.new_context()
    context.set_default_timeout(DEADLINE_S * 1000)
    yield Desk(context.new_page(), server_site, shop_site)
    context.close()
