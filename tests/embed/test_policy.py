"""A retailer's strict policy holds, with exactly the directives that docs/embedding.md names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.embed.conftest import BUTTON, Desk

pytestmark = pytest.mark.browser

DOCS = Path(__file__).parents[2] / "docs" / "embedding.md"
ELEMENT = '<proteus-tryon garment="tee-2"></proteus-tryon>'


def documented_policy(server: str) -> str:
    """The policy as the docs print it, for this server, around a page that allows nothing else."""
    block = re.search(r"```http\nContent-Security-Policy: (.*?)\n```", DOCS.read_text(), re.DOTALL)
    assert block
    return " ".join(block[1].split()).replace("https://proteus.example", server)


def test_it_works_under_the_documented_policy(desk: Desk) -> None:
    # Listening needs a script of the test's own; Playwright's init scripts are not bound by it.
    desk.shop.headers = {"Content-Security-Policy": documented_policy(desk.server.url)}
    desk.visit(BUTTON + ELEMENT)
    desk.open().evaluate("say('resize', { height: 500, width: 880 })")
    expect(desk.dialog).to_have_css("height", "500px")
    desk.widget().evaluate("say('close')")
    expect(desk.dialog).to_be_hidden()
    desk.open("proteus-tryon")
    assert desk.page.evaluate("violations") == []


@pytest.mark.parametrize("directive", ["script-src", "connect-src", "frame-src"])
def test_each_directive_is_needed(desk: Desk, directive: str) -> None:
    """None of them is there for show."""
    policy = documented_policy(desk.server.url)
    without = re.sub(rf"{directive} [^;]*", f"{directive} 'none'", policy)
    assert without != policy
    desk.shop.headers = {"Content-Security-Policy": without}
    desk.visit(listening=directive != "script-src")
    desk.page.click("button")
    desk.page.wait_for_function("() => violations.length > 0")
    assert desk.page.evaluate("violations")[0].startswith(directive)


def test_no_style_of_ours_in_the_page(desk: Desk) -> None:
    desk.visit(BUTTON + ELEMENT)
    desk.open().evaluate("say('resize', { height: 500 })")
    expect(desk.dialog).to_have_css("height", "500px")
    styled = """() => {
      const roots = [document, ...[...document.querySelectorAll("*")]
        .map((element) => element.shadowRoot).filter(Boolean)];
      return roots.flatMap((root) => [...root.querySelectorAll("[style], style, link")])
        .map((element) => element.outerHTML);
    }"""
    assert desk.page.evaluate(styled) == []


def test_the_pages_own_rules_do_not_reach_in(desk: Desk) -> None:
    ugly = (
        "<style>* { all: unset } dialog, button, p, div, iframe { display: none !important;"
        " padding: 99px !important; width: 10px !important }"
        " body { display: grid; gap: 50px }</style>"
    )
    desk.page.set_viewport_size({"width": 1440, "height": 900})
    desk.visit("<a data-proteus-garment=tee-1 id=link>Try it on</a>", head=ugly)
    desk.open("#link")
    assert desk.dialog.bounding_box() == {"x": 500, "y": 110, "width": 440, "height": 680}
