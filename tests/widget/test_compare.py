"""Before and after, in Chromium: her own photo lies on the handle's side and ends where it is."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

FIGURE = """
<link rel="stylesheet" href="/tokens.css"><link rel="stylesheet" href="/widget.css">
<link rel="stylesheet" href="/result.css">
<figure class="compare" data-compare data-width="600" data-height="800">
  <img class="compare-after" alt=""><img class="compare-before" alt="">
  <input class="compare-range" type="range" min="0" max="100" value="0">
  <span class="compare-handle"></span>
</figure>"""
# What lies at a tenth and at nine tenths of the figure's width, below the range that takes fingers.
SEEN = """() => {
  const box = document.querySelector(".compare").getBoundingClientRect();
  const at = (share) => document
    .elementsFromPoint(box.left + share * box.width, box.top + box.height / 2)
    .find((element) => element.matches("img")).className;
  const handle = document.querySelector(".compare-handle").getBoundingClientRect();
  return [at(0.1), at(0.9), (handle.left + 1 - box.left) / box.width];
}"""


def seen(page: Page, direction: str, value: int) -> list[object]:
    page.evaluate("(html) => { document.body.innerHTML = html }", FIGURE)
    page.evaluate("(dir) => { document.documentElement.dir = dir }", direction)
    page.wait_for_function("() => [...document.querySelectorAll('link')].every((l) => l.sheet)")
    page.evaluate("async () => (await import('/compare.js')).install(document)")
    page.locator("input").fill(str(value))
    found: list[object] = page.evaluate(SEEN)
    return found


@pytest.mark.parametrize(
    ("direction", "value", "left", "right", "handle"),
    [
        ("ltr", 30, "compare-before", "compare-after", 0.3),
        ("ltr", 0, "compare-after", "compare-after", 0.0),
        ("ltr", 100, "compare-before", "compare-before", 1.0),
        ("rtl", 30, "compare-after", "compare-before", 0.7),
    ],
)
def test_her_own_photo_reaches_from_the_edge_to_the_handle(
    page: Page, direction: str, value: int, left: str, right: str, handle: float
) -> None:
    found = seen(page, direction, value)
    assert found[:2] == [left, right]
    assert found[2] == pytest.approx(handle, abs=0.01)
