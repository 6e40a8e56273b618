"""In and out by keyboard and by touch: focus comes back, and the page stays where it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Launch
from tests.embed.conftest import BUTTON, Desk
from tests.embed.counterpart import FakeServer, FakeShop

pytestmark = pytest.mark.browser
ELEMENT = '<proteus-tryon id="element" garment="tee-1"></proteus-tryon>'
FOCUSED = "document.activeElement.id || document.activeElement.nodeName"


@pytest.mark.parametrize(
    ("button", "focused"), [(BUTTON, "BUTTON"), (ELEMENT, "element")], ids=["button", "element"]
)
def test_by_keyboard_alone(desk: Desk, button: str, focused: str) -> None:
    desk.visit(button)
    desk.page.keyboard.press("Tab")
    desk.page.keyboard.press("Enter")
    widget = desk.widget()
    widget.wait_for_function("document.hasFocus()")
    assert desk.page.evaluate("document.activeElement.nodeName") == "PROTEUS-ROOM"
    widget.evaluate("say('close')")
    expect(desk.dialog).to_be_hidden()
    assert desk.page.evaluate(FOCUSED) == focused
    assert desk.expect_event("close") == {"garment": "tee-1"}


def test_escape_leaves_while_it_opens(desk: Desk) -> None:
    desk.server.widget = "silent"
    desk.visit()
    desk.page.click("button")
    expect(desk.page.get_by_role("status")).to_have_text("Opening the fitting room…")
    desk.page.keyboard.press("Escape")
    expect(desk.dialog).to_be_hidden()
    assert desk.page.evaluate(FOCUSED) == "BUTTON"
    assert desk.events("error") == []


def test_the_close_button_leaves_while_it_opens(desk: Desk) -> None:
    desk.server.widget = "silent"
    desk.visit()
    desk.page.click("button")
    desk.page.get_by_role("button", name="Close").click()
    expect(desk.dialog).to_be_hidden()
    # And what was given up half way starts anew.
    desk.server.widget = ""
    desk.open()
    assert len(desk.server.boots) == 2


def test_the_page_behind_is_out_of_reach(desk: Desk) -> None:
    desk.visit(BUTTON + '<a href="/elsewhere">elsewhere</a>')
    desk.open()
    desk.page.evaluate("document.querySelector('a').focus()")
    assert desk.page.evaluate(FOCUSED) == "PROTEUS-ROOM"


def test_closed_and_opened_within_one_frame(desk: Desk) -> None:
    desk.visit()
    desk.page.evaluate(
        """() => {
          const button = document.querySelector("button");
          button.click();
          document.querySelector("proteus-room").shadowRoot.querySelector("dialog").close();
          button.click();
        }"""
    )
    desk.widget()
    expect(desk.page.get_by_role("status")).to_be_hidden()
    assert desk.page.locator("proteus-room iframe").count() == 1


# --- scrolling -----------------------------------------------------------------------------------


@pytest.fixture
def scrolling(launch: Launch, server_site: FakeServer, shop_site: FakeShop) -> Iterator[Desk]:
    """A Chromium with classic scrollbars, which take room from the page."""
    server_site.reset()
    shop_site.headers = {}
    made = launch(ignore_default_args=["--hide-scrollbars"])
    yield Desk(made.new_page(viewport={"width": 1280, "height": 720}), server_site, shop_site)
    made.close()


PLACES = """() => [
  scrollY,
  ...["header", "button", "aside"].map((name) => {
    const { x, y, width } = document.querySelector(name).getBoundingClientRect();
    return [x, y, width];
  }),
]"""
LOOKS = {
    "a long page": "",
    "a short page": ".tall { display: none }",
    "scrolls by its body": "body { overflow-x: hidden }",
    "always a scrollbar": "html { overflow-y: scroll }",
    "fixed parts": "header { position: fixed; width: 100% }",
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_nothing_moves_when_it_opens_and_closes(scrolling: Desk, look: str) -> None:
    style = (
        "<style>body { margin: 0 } header { position: sticky; top: 0; height: 40px }"
        " aside { float: right; width: 30% } button { display: block; margin: 99px }"
        f" .tall {{ height: 4000px }} {look}</style>"
    )
    scrolling.visit(
        f"<header>shop</header><aside>more</aside>{BUTTON}<div class=tall></div>", head=style
    )
    scrolling.page.evaluate("scrollTo(0, 15)")
    before = scrolling.page.evaluate(PLACES)
    widget = scrolling.open()
    assert scrolling.page.evaluate(PLACES) == before
    _wheel(scrolling.page)
    assert scrolling.page.evaluate(PLACES) == before
    widget.evaluate("say('close')")
    expect(scrolling.dialog).to_be_hidden()
    assert scrolling.page.evaluate(PLACES) == before


def _wheel(page: Page) -> None:
    page.mouse.move(10, 700)
    page.mouse.wheel(0, 300)
    page.evaluate(
        "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
    )
