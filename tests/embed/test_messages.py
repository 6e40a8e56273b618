"""The embed hears its own widget and nobody else: origin, source, nonce, then shape."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.embed.conftest import BUTTON, Desk

pytestmark = pytest.mark.browser

# What the widget says, the event that the shop hears, and its detail.
TOLD: list[tuple[str, dict[str, Any], str]] = [
    ("status", {"try_on_id": "try_1", "status": "running"}, "status"),
    ("result", {"try_on_id": "try_1"}, "result"),
    ("result", {"try_on_id": "try_1", "url": "https://store.example/1.jpg"}, "result"),
    ("add_to_cart", {"garment": "tee-1"}, "add-to-cart"),
    ("add_to_cart", {"garment": "tee-1", "variant": {"size": "M"}}, "add-to-cart"),
    ("error", {"code": "photo_rejected"}, "error"),
]


@pytest.mark.parametrize(("message", "fields", "event"), TOLD)
def test_what_the_widget_says_becomes_an_event(
    desk: Desk, message: str, fields: dict[str, Any], event: str
) -> None:
    desk.visit()
    desk.open().evaluate("([type, fields]) => say(type, fields)", [message, fields])
    assert desk.expect_event(event) == fields
    assert desk.page.evaluate("events.at(-1)[2]") == "BUTTON"


def test_events_of_a_button_that_is_gone_come_from_the_document(desk: Desk) -> None:
    desk.visit()
    widget = desk.open()
    desk.page.evaluate("document.querySelector('button').remove()")
    widget.evaluate("say('error', { code: 'gone' })")
    assert desk.expect_event("error") == {"code": "gone"}
    assert desk.page.evaluate("events.at(-1)[2]") == "#document"


# --- size ----------------------------------------------------------------------------------------


def test_the_widget_asks_for_room(desk: Desk) -> None:
    desk.page.set_viewport_size({"width": 1440, "height": 900})
    desk.visit()
    widget = desk.open()
    assert desk.dialog.bounding_box() == {"x": 500, "y": 110, "width": 440, "height": 680}
    widget.evaluate("say('resize', { height: 500 })")
    expect(desk.dialog).to_have_css("height", "500px")
    widget.evaluate("say('resize', { height: 5000, width: 880 })")
    expect(desk.dialog).to_have_css("height", "852px")
    expect(desk.dialog).to_have_css("width", "880px")


def test_another_garment_starts_narrow(desk: Desk) -> None:
    desk.page.set_viewport_size({"width": 1440, "height": 900})
    desk.visit(BUTTON + '<button id="second" data-proteus-garment="tee-2">Try it on</button>')
    desk.open().evaluate("say('resize', { height: 720, width: 880 }); say('close')")
    expect(desk.dialog).to_be_hidden()
    desk.open("#second")
    expect(desk.dialog).to_have_css("width", "440px")


@pytest.mark.parametrize("size", [(360, 640), (640, 360)])
def test_on_a_phone_it_is_a_full_sheet(desk: Desk, size: tuple[int, int]) -> None:
    desk.page.set_viewport_size({"width": size[0], "height": size[1]})
    desk.visit()
    desk.open().evaluate("say('resize', { height: 300, width: 880 })")
    box = {"x": 0, "y": 0, "width": size[0], "height": size[1]}
    assert desk.dialog.bounding_box() == box


# --- forgeries -----------------------------------------------------------------------------------

GOOD: dict[str, Any] = {"proteus": 1, "type": "status", "try_on_id": "try_1", "status": "running"}

SHAPES: dict[str, Any] = {
    "no version": {**GOOD, "proteus": None},
    "other version": {**GOOD, "proteus": 2},
    "version as text": {**GOOD, "proteus": "1"},
    "unknown type": {**GOOD, "type": "pay"},
    "type of every object": {**GOOD, "type": "constructor"},
    "type is a list": {**GOOD, "type": ["status"]},
    "a message for the widget": {**GOOD, "type": "init"},
    "field missing": {**GOOD, "status": None},
    "field of another type": {**GOOD, "status": 7},
    "height as text": {"proteus": 1, "type": "resize", "height": "9000"},
    "nothing": None,
    "text": "ready",
    "a list": [1],
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_wrong_shape_is_ignored(desk: Desk, shape: Any) -> None:
    desk.visit()
    widget = desk.open()
    widget.evaluate(
        "(shape) => parent.postMessage(shape && typeof shape === 'object' && !Array.isArray(shape)"
        " ? { ...shape, nonce: window.name } : shape, '*')",
        shape,
    )
    _only_the_honest_one_is_heard(desk)


@pytest.mark.parametrize("nonce", ["", "0-0-0-0", None])
def test_a_wrong_nonce_is_ignored(desk: Desk, nonce: str | None) -> None:
    desk.visit()
    desk.open().evaluate("(message) => parent.postMessage(message, '*')", {**GOOD, "nonce": nonce})
    _only_the_honest_one_is_heard(desk)


def test_another_frame_of_the_same_server_is_ignored(desk: Desk) -> None:
    desk.visit()
    widget = desk.open()
    desk.page.evaluate(
        "(src) => document.body.append(Object.assign(document.createElement('iframe'), { src }))",
        f"{desk.server.url}/w/other?silent",
    )
    other = desk.page.locator("body > iframe").element_handle().content_frame()
    assert other
    other.wait_for_function("() => window.heard")
    other.evaluate(
        "(message) => parent.postMessage(message, '*')",
        {**GOOD, "nonce": widget.evaluate("window.name")},
    )
    _only_the_honest_one_is_heard(desk)


ORIGINS = [
    "https://evil.example", "null", "", "http://localhost", "https://localhost:{port}",
    "http://localhost:{port}/", "http://localhost:{port}.evil.example", "http://LOCALHOST:{port}",
    "http://127.0.0.1:{port}",
]  # fmt: skip


@pytest.mark.parametrize("origin", ORIGINS)
def test_another_origin_is_ignored(desk: Desk, origin: str) -> None:
    """Made by hand, with the right source and nonce: only the origin is wrong."""
    desk.visit()
    nonce = desk.open().evaluate("window.name")
    forged = """([origin, data]) => {
      const { contentWindow } = document.querySelector("proteus-room").shadowRoot
        .querySelector("iframe");
      dispatchEvent(new MessageEvent("message", { origin, source: contentWindow, data }));
    }"""
    message = {**GOOD, "nonce": nonce}
    desk.page.evaluate(forged, [origin.replace("{port}", str(desk.server.port)), message])
    _only_the_honest_one_is_heard(desk)
    # The same with the right origin is heard: the forgery was right in everything else.
    desk.page.evaluate(forged, [desk.server.url, message])
    assert len(desk.events("status")) == 1


def _only_the_honest_one_is_heard(desk: Desk) -> None:
    """An honest message after the forged one: what came before it has been judged."""
    desk.widget().evaluate("say('error', { code: 'honest' })")
    assert desk.expect_event("error") == {"code": "honest"}
    assert [type_ for type_, _, _ in desk.page.evaluate("events")] == ["open", "error"]
