"""Before a click the embed costs a shop's page one small file, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embed.conftest import BUTTON, Desk

pytestmark = pytest.mark.browser

SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => shifts.push(...list.getEntries().map((one) => one.value)))
    .observe({ type: "layout-shift", buffered: true });
"""
# What docs/embedding.md tells a retailer to add who uses the element.
RESERVE = "<style>proteus-tryon { display: block; min-height: 44px }</style>"
ELEMENT = '<proteus-tryon garment="tee-1"></proteus-tryon>'
BELOW = "<p>Description</p>" * 20


@pytest.mark.parametrize("button", [BUTTON, ELEMENT])
def test_nothing_happens_before_the_click(desk: Desk, button: str) -> None:
    asked: list[str] = []
    desk.page.on("request", lambda request: asked.append(request.url))
    desk.page.add_init_script(SHIFTS)
    desk.visit(button + BELOW, head=RESERVE)
    desk.page.evaluate(
        "() => new Promise((go) => requestAnimationFrame(() => setTimeout(go, 300)))"
    )

    assert asked == [f"{desk.shop.url}/", f"{desk.server.url}/embed/v1/proteus.js"]
    assert desk.page.context.cookies() == []
    assert desk.page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    assert desk.page.evaluate("shifts") == []
    assert (
        desk.page.evaluate("document.querySelectorAll('iframe, dialog, proteus-room').length") == 0
    )
    assert desk.events() == []


def test_the_page_itself_is_not_touched(desk: Desk) -> None:
    desk.visit(ELEMENT + BUTTON)
    before: dict[str, Any] = desk.page.evaluate(
        """() => ({
          head: document.head.innerHTML, body: document.body.innerHTML,
          names: Object.keys(window).length, sheets: document.adoptedStyleSheets.length,
        })"""
    )
    assert before["sheets"] == 0
    assert before["body"] == ELEMENT + BUTTON
    assert "style" not in before["head"]


def test_it_leaves_no_name_in_the_page(desk: Desk) -> None:
    desk.visit()
    names = "Object.getOwnPropertyNames(window).filter((name) => /proteus|tryon/i.test(name))"
    assert desk.page.evaluate(names) == []
