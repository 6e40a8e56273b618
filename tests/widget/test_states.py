"""Every state of the widget at every size that it is looked at: nothing runs out, is cut off, lies
over something else or cannot be pressed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from server.rendering.widget_states import STATES
from tests.services import S3Settings
from tests.stage import Stage, stage
from tests.waiting import DEADLINE_S

pytestmark = [pytest.mark.browser, pytest.mark.process]

# A phone zoomed in, small, usual, on its side; the dialog on a desk, narrow and wide.
SIZES = [(256, 400), (320, 568), (360, 640), (740, 360), (440, 680), (880, 720)]
WRONG = """() => {
  const wrong = [];
  const over = document.querySelector("dialog[open]");
  const seen = (e) => e.checkVisibility() && !e.closest(".visually-hidden")
    && getComputedStyle(e).clipPath === "none" && (!over || over.contains(e));
  const name = (e) => `<${e.tagName.toLowerCase()}> ${e.textContent.trim().slice(0, 30)}`;
  if (document.documentElement.scrollWidth > innerWidth) wrong.push("runs out sideways");
  const words = [...document.querySelectorAll("h1, h2, p, li, strong")].filter(seen);
  for (const e of words) if (e.scrollHeight > e.clientHeight + 1 && getComputedStyle(e).overflow
      === "hidden" && !e.matches(".header-title")) wrong.push(`cut off: ${name(e)}`);
  const lines = words.filter((e) => e.closest(".card-body, .side")).flatMap((e) => {
    const range = document.createRange();
    range.selectNodeContents(e);
    return [...range.getClientRects()].map((box) => [e, box]);
  });
  for (const [one, a] of lines) for (const [other, b] of lines) {
    if (one.contains(other) || other.contains(one)) continue;
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 4 && high > 6) wrong.push(`${name(one)} lies over ${name(other)}`);
  }
  for (const button of [...document.querySelectorAll(".button")].filter(seen)) {
    button.scrollIntoView({ block: "center" });
    const box = button.getBoundingClientRect();
    const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    if (!button.contains(hit)) wrong.push(`cannot be pressed: ${name(button)}`);
    if (box.height < 44) wrong.push(`too low: ${name(button)}`);
  }
  return [...new Set(wrong)];
}"""


@pytest.fixture
def shop(redis_url: str, sqlite_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Stage]:
    with stage(redis_url, sqlite_url, store, tmp_path) as made:
        made.serve()
        yield made


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_each_state_can_be_read_and_pressed(browser: Browser, shop: Stage, direction: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(DEADLINE_S * 1000)
    wrong = []
    for state in STATES:
        page.goto(f"{shop.url}/w/{shop.shop.test_key}/states/{state}?dir={direction}")
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            found = page.evaluate(WRONG)
            wrong += [f"{state} at {width}x{height}: {words}" for words in found]
    page.close()
    assert wrong == []
