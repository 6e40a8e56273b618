"""A shopper with a real browser: what she does in the shop and in its fitting room.

Third-party storage is blocked for her, as in most browsers, and her machine knows no other
host than itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    BrowserType,
    Frame,
    Locator,
    Page,
    Request,
    ViewportSize,
    expect,
)

from tests.conftest import chromium_program
from tests.waiting import DEADLINE_S

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
PHONE = ViewportSize(width=360, height=640)
DESK = ViewportSize(width=1440, height=900)
FLAGS = [
    "--test-third-party-cookie-phaseout",  # both storages throw in a frame of another site
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",  # she allows the camera
]
SOON_MS = DEADLINE_S * 1000
PICTURE_MS = 1.5 * SOON_MS
OWN_HOSTS = ("localhost", "127.0.0.1")
# Chromium on Linux does not know the feature, and says so.
HARMLESS = re.compile("Unrecognized feature: 'web-share'")


@dataclass
class Shopper:
    page: Page
    demo: dict[str, Any]
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    sockets: int = 0

    @classmethod
    @contextmanager
    def arrives(
        cls, browser: Browser, demo: dict[str, Any], size: ViewportSize = PHONE
    ) -> Iterator[Self]:
        with cls._in(browser.new_context(viewport=size), demo) as shopper:
            yield shopper

    @classmethod
    @contextmanager
    def keeps_nothing(
        cls, chromium: BrowserType, home: Path, demo: dict[str, Any]
    ) -> Iterator[Self]:
        """Her browser refuses every cookie."""
        refuse = {"profile": {"default_content_setting_values": {"cookies": 2}}}
        (home / "Default").mkdir(parents=True)
        (home / "Default" / "Preferences").write_text(json.dumps(refuse))
        context = chromium.launch_persistent_context(
            home, executable_path=chromium_program(), args=FLAGS, viewport=PHONE
        )
        with cls._in(context, demo) as shopper:
            yield shopper

    @classmethod
    @contextmanager
    def _in(cls, context: BrowserContext, demo: dict[str, Any]) -> Iterator[Self]:
        context.set_default_timeout(SOON_MS)
        shopper = cls(context.new_page(), demo)
        context.on("request", shopper._ask)
        context.on("console", lambda message: shopper._hear(message.type, message.text))
        context.on("weberror", lambda error: shopper._hear("error", str(error.error)))
        shopper.page.on("websocket", shopper._listen)
        # Heard from the start: to begin to listen takes the widget's frame a moment, and a chooser
        # that opens before it is seen by nobody.
        shopper.page.on("filechooser", lambda _: None)
        try:
            yield shopper
        finally:
            context.close()

    def _ask(self, request: Request) -> None:
        self.requests.append(request)

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not HARMLESS.search(text):
            self.complaints.append(text)

    def _listen(self, socket: Any) -> None:
        self.sockets += 1
        socket.on("framereceived", lambda text: self.frames.append(str(text)))

    # --- the shop ---------------------------------------------------------------------------------

    def visit(self, sku: str) -> None:
        self.page.goto(f"{self.demo['shop_url']}products/{sku}")

    @property
    def try_button(self) -> Locator:
        return self.page.locator("[data-proteus-garment]").first

    def opens_the_fitting_room(self) -> None:
        """By keyboard: the dialog opens and the first card is there."""
        self.try_button.focus()
        self.page.keyboard.press("Enter")
        self.room.locator("main:not([data-starting]) h1").wait_for(timeout=SOON_MS)

    @property
    def room(self) -> Any:
        return self.page.frame_locator("iframe[title='Fitting room']")

    @property
    def frame(self) -> Frame:
        """The widget's own document."""
        server = self.demo["server_url"]
        return next(f for f in self.page.frames if f.url.startswith(f"{server}/w/"))

    # --- the fitting room -------------------------------------------------------------------------

    def card(self, state: str) -> Locator:
        found: Locator = self.room.locator(f".card[data-state='{state}']")
        return found

    def state(self) -> str:
        return str(self.room.locator(".card").get_attribute("data-state"))

    def sees(self, state: str, within_ms: float = SOON_MS) -> Locator:
        card = self.card(state)
        card.wait_for(timeout=within_ms)
        return card

    def presses(self, name: str) -> None:
        self.room.get_by_role("button", name=name, exact=True).click()

    def agrees_and_gives(self, photo: Path) -> None:
        self.room.get_by_role("checkbox").check()
        self.gives(photo, "Choose a photo")

    def gives(self, photo: Path, button: str) -> None:
        with self.page.expect_file_chooser() as chooser:
            self.presses(button)
        chooser.value.set_files(photo)

    def gets_her_picture(self) -> str:
        """Waits for it; the try-on's id."""
        return str(self.sees("result", PICTURE_MS).get_attribute("data-try-on"))

    # --- what must hold everywhere ----------------------------------------------------------------

    def storage_error(self) -> str:
        script = """() => { try { sessionStorage.getItem("x"); return ""; }
                            catch (error) { return error.name; } }"""
        return str(self.frame.evaluate(script))

    def violations(self, where: Page | Frame) -> list[str]:
        """What axe finds in one document."""
        where.evaluate(AXE.read_text())
        found = where.evaluate("() => axe.run(document, { iframes: false })")
        return [
            f"{violation['id']}: {json.dumps([node['html'] for node in violation['nodes']])}"
            for violation in found["violations"]
        ]

    def foreign_requests(self) -> list[str]:
        return [
            request.url
            for request in self.requests
            if urlsplit(request.url).scheme not in ("data", "blob")
            and urlsplit(request.url).hostname not in OWN_HOSTS
        ]

    def sleeps(self, for_s: float) -> None:
        """Her phone goes dark and comes back: as the page sees it, without the waiting."""
        self.frame.evaluate(
            """(ms) => {
              const [now, set] = [Date.now, (hidden) =>
                Object.defineProperty(document, "hidden", { value: hidden, configurable: true })];
              set(true);
              document.dispatchEvent(new Event("visibilitychange"));
              Date.now = () => now() + ms;
              set(false);
              document.dispatchEvent(new Event("visibilitychange"));
            }""",
            for_s * 1000,
        )

    def expects_focus(self, words: str) -> None:
        """Waits: a key may be answered before the focus has moved."""
        script = "(words) => document.activeElement.textContent.trim() === words"
        self.frame.wait_for_function(script, arg=words, timeout=SOON_MS)


__all__ = ["PICTURE_MS", "SOON_MS", "Shopper", "expect"]
