"""Where the fitting room cannot open, she reads a plain sentence and finds a way out, and the
shop hears a code."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.embed.conftest import Desk

pytestmark = pytest.mark.browser

REACH = "The fitting room can't be reached. Check your connection, then try again."
NOT_HERE = "The fitting room isn't available for this item."


def problem(status: int, code: str) -> tuple[int, dict[str, Any]]:
    return status, {"type": "about:blank", "status": status, "code": code, "detail": "Do this."}


REFUSALS: list[tuple[tuple[int, Any], str, str, bool]] = [
    (problem(403, "origin_not_allowed"), "origin_not_allowed", NOT_HERE, False),
    (problem(404, "site_not_found"), "site_not_found", NOT_HERE, False),
    (problem(402, "quota_exhausted"), "quota_exhausted", NOT_HERE, False),
    (problem(422, "invalid"), "invalid", NOT_HERE, False),
    (problem(429, "rate_limited"), "rate_limited", REACH, True),
    (problem(503, "unavailable"), "unavailable", REACH, True),
    ((200, {"boot_token": "t", "widget_url": "https://evil.example/w"}), "bad_answer", REACH, True),
    ((502, "<h1>Bad gateway</h1>"), "unreachable", REACH, True),
    ((200, {"boot_token": "t"}), "unreachable", REACH, True),
]


@pytest.mark.parametrize(("refusal", "code", "sentence", "can_retry"), REFUSALS)
def test_a_refused_boot(
    desk: Desk, refusal: tuple[int, Any], code: str, sentence: str, can_retry: bool
) -> None:
    said: list[str] = []
    desk.page.on("console", lambda message: said.append(message.text))
    desk.visit()
    desk.server.refusal = refusal
    desk.page.click("button")
    assert desk.expect_event("error") == {"code": code}
    expect(desk.page.get_by_role("status")).to_have_text(sentence)
    expect(desk.page.get_by_role("button", name="Try again")).to_be_visible(visible=can_retry)
    assert any(line.startswith(f"Proteus: {code}:") for line in said)
    assert desk.page.locator("proteus-room iframe").count() == 0
    desk.page.get_by_role("button", name="Close").click()
    expect(desk.dialog).to_be_hidden()


def test_an_origin_that_the_server_does_not_answer(desk: Desk) -> None:
    """No CORS header: the browser tells the page nothing but that it failed."""
    said: list[str] = []
    desk.page.on("console", lambda message: said.append(message.text))
    desk.visit()
    desk.server.is_readable = False
    desk.page.click("button")
    assert desk.expect_event("error") == {"code": "unreachable"}
    expect(desk.page.get_by_role("status")).to_have_text(REACH)
    assert any(line.endswith(f"{desk.server.url}/dashboard/install") for line in said)


def test_offline_and_back(desk: Desk) -> None:
    desk.visit()
    desk.page.context.set_offline(True)
    desk.page.click("button")
    assert desk.expect_event("error") == {"code": "offline"}
    expect(desk.page.get_by_role("status")).to_have_text(REACH)
    desk.page.context.set_offline(False)
    desk.page.get_by_role("button", name="Try again").click()
    desk.widget()
    expect(desk.page.get_by_role("status")).to_be_hidden()


def test_a_widget_that_says_nothing(desk: Desk) -> None:
    desk.server.widget = "silent"
    desk.page.clock.install()
    desk.visit()
    desk.page.click("button")
    desk.page.locator("proteus-room iframe").wait_for()
    desk.page.clock.fast_forward(20_001)
    assert desk.expect_event("error") == {"code": "widget_silent"}
    expect(desk.page.get_by_role("status")).to_have_text(REACH)
    # Late is better than never.
    frame = desk.page.locator("proteus-room iframe").element_handle().content_frame()
    assert frame
    frame.get_by_label("inside").wait_for(state="attached")
    frame.evaluate("say('ready')")
    desk.widget()
    expect(desk.page.get_by_role("status")).to_be_hidden()


def test_left_before_the_answer_it_stays_quiet(desk: Desk) -> None:
    desk.visit()
    held: list[Route] = []
    desk.page.route("**/boot", lambda route: held.append(route))  # noqa: PLW0108
    with desk.page.expect_request("**/boot"):
        desk.page.click("button")
    desk.page.keyboard.press("Escape")
    expect(desk.dialog).to_be_hidden()
    held[0].fulfill(status=500, body="{}")
    desk.page.unroute("**/boot")
    desk.open()
    assert desk.events("error") == []


def test_a_script_without_its_key_says_so(desk: Desk) -> None:
    said: list[str] = []
    desk.page.on("console", lambda message: said.append(message.text))
    desk.shop.html = f'<script src="{desk.server.url}/embed/v1/proteus.js"></script>'
    desk.page.goto(desk.shop.url)
    assert said == ["Proteus: data-site is missing"]
