"""A click opens the fitting room: one dialog, one boot, one widget that is told its token."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.embed.conftest import BUTTON, Desk
from tests.embed.counterpart import KEY

pytestmark = pytest.mark.browser
ELEMENT = '<proteus-tryon garment="tee-1"></proteus-tryon>'


def test_a_click_opens_the_widget(desk: Desk) -> None:
    desk.visit()
    widget = desk.open()
    assert desk.server.boots == [{"pk": KEY, "cookies": {}, "garment": "tee-1"}]
    heard = widget.evaluate("heard")
    nonce = widget.evaluate("window.name")
    assert heard == [
        {
            "proteus": 1,
            "nonce": nonce,
            "type": "init",
            "boot_token": "token-1",
            "locale": "en",
            "theme": "light",
        }
    ]
    assert len(nonce) > 20
    expect(desk.page.get_by_role("dialog", name="Fitting room")).to_be_visible()
    frame = desk.page.locator("proteus-room iframe")
    assert frame.get_attribute("title") == "Fitting room"
    assert frame.get_attribute("allow") == "camera; web-share"
    assert desk.page.evaluate("events") == [["open", {"garment": "tee-1"}, "BUTTON"]]


def test_the_element_is_a_button_of_its_own(desk: Desk) -> None:
    desk.visit(ELEMENT)
    button = desk.page.get_by_role("button", name="Try it on")
    expect(button).to_be_visible()
    box = button.bounding_box()
    assert box
    assert box["height"] >= 44
    button.click()
    desk.widget()
    assert desk.server.boots[0]["garment"] == "tee-1"


def test_the_element_takes_the_shops_own_words(desk: Desk) -> None:
    desk.visit('<proteus-tryon garment="tee-1">Anprobieren</proteus-tryon>')
    expect(desk.page.get_by_role("button", name="Anprobieren")).to_be_visible()


def test_a_double_click_opens_once(desk: Desk) -> None:
    desk.visit()
    desk.page.dblclick("button")
    desk.widget()
    assert len(desk.server.boots) == 1
    assert desk.page.locator("proteus-room").count() == 1
    assert desk.events() == [{"garment": "tee-1"}]


def test_two_buttons_open_two_garments(desk: Desk) -> None:
    second = '<button id="second" data-proteus-garment="tee-2">Try it on</button>'
    desk.visit(BUTTON + second)
    desk.open().evaluate("say('close')")
    expect(desk.dialog).to_be_hidden()
    desk.open("#second")
    assert [boot["garment"] for boot in desk.server.boots] == ["tee-1", "tee-2"]
    assert desk.page.locator("proteus-room iframe").count() == 1
    assert desk.page.evaluate("events.at(-1)") == ["open", {"garment": "tee-2"}, "second"]


def test_opened_again_it_is_as_she_left_it(desk: Desk) -> None:
    desk.visit()
    widget = desk.open()
    widget.evaluate("window.mine = 'kept'; say('close')")
    expect(desk.dialog).to_be_hidden()
    # Polled: a hidden frame has no animation frames.
    widget.wait_for_function("heard.at(-1).type === 'closed'", polling=50)
    desk.page.click("button")
    expect(desk.dialog).to_be_visible()
    assert widget.evaluate("mine") == "kept"
    assert len(desk.server.boots) == 1


def test_a_widget_that_reloads_gets_another_token(desk: Desk) -> None:
    desk.visit()
    desk.open().evaluate("say('ready')")
    desk.widget().wait_for_function("heard.at(-1).boot_token === 'token-2'")
    assert len(desk.server.boots) == 2


def test_the_chosen_variant_goes_along(desk: Desk) -> None:
    desk.visit('<button data-proteus-garment="tee-1" data-proteus-variant="Red, M">Try</button>')
    widget = desk.open()
    widget.wait_for_function("heard.length === 2")
    assert widget.evaluate("[heard[1].type, heard[1].variant]") == ["variant", "Red, M"]


def test_a_button_in_a_form_sends_no_form(desk: Desk) -> None:
    desk.visit('<form action="/sent"><button data-proteus-garment="tee-1">Try</button></form>')
    desk.open()
    assert desk.page.url == f"{desk.shop.url}/"


def test_a_button_inside_the_shops_own_component(desk: Desk) -> None:
    desk.visit("<my-product></my-product>")
    desk.page.evaluate(
        """() => {
          const root = document.querySelector("my-product").attachShadow({ mode: "open" });
          const button = document.createElement("button");
          button.dataset.proteusGarment = "tee-9";
          root.append(button);
          button.append("Try it on");
        }"""
    )
    desk.page.get_by_role("button").click()
    desk.widget()
    assert desk.server.boots[0]["garment"] == "tee-9"


@pytest.mark.parametrize(
    ("scheme", "device", "theme"),
    [
        ("normal", "dark", "light"),
        ("light dark", "dark", "dark"),
        ("light dark", "light", "light"),
        ("dark", "light", "dark"),
    ],
)
def test_it_looks_like_the_page(desk: Desk, scheme: str, device: str, theme: str) -> None:
    desk.page.emulate_media(color_scheme="dark" if device == "dark" else "light")
    desk.visit(head=f"<style>:root {{ color-scheme: {scheme} }}</style>", html="<html lang=de>")
    widget = desk.open()
    assert widget.evaluate("[heard[0].locale, heard[0].theme]") == ["de", theme]


# --- the page around it --------------------------------------------------------------------------


AGAIN = """([source, site]) => new Promise((loaded) => {
  const script = Object.assign(document.createElement("script"), { src: source, onload: loaded });
  script.dataset.site = site;
  document.head.append(script);
})"""


def test_loaded_twice_it_works_once(desk: Desk) -> None:
    desk.visit(BUTTON + desk.script)
    desk.page.evaluate(AGAIN, [f"{desk.server.url}/embed/v1/proteus.js?again", KEY])
    desk.open()
    assert len(desk.server.boots) == 1
    assert desk.events("open") == [{"garment": "tee-1"}]
    assert desk.events("error") == []


def test_a_second_site_on_the_page_is_refused(desk: Desk) -> None:
    said: list[str] = []
    desk.page.on("console", lambda message: said.append(message.text))
    desk.visit()
    desk.page.evaluate(AGAIN, [f"{desk.server.url}/embed/v1/proteus.js", "pk_test_other"])
    assert desk.expect_event("error") == {"code": "two_sites"}
    assert any("two_sites" in line for line in said)
    desk.open()
    assert [boot["pk"] for boot in desk.server.boots] == [KEY]


def test_after_a_single_page_navigation(desk: Desk) -> None:
    desk.visit()
    desk.open().evaluate("say('close')")
    expect(desk.dialog).to_be_hidden()
    desk.page.evaluate(
        """() => {
          history.pushState({}, "", "/products/2");
          document.body.innerHTML =
            '<proteus-tryon garment="tee-2"></proteus-tryon>' +
            '<button id="new" data-proteus-garment="tee-3">Try it on</button>';
        }"""
    )
    desk.open("#new").evaluate("say('close')")
    expect(desk.dialog).to_be_hidden()
    desk.open("proteus-tryon")
    assert [boot["garment"] for boot in desk.server.boots] == ["tee-1", "tee-3", "tee-2"]


def test_a_page_that_throws_the_open_room_away(desk: Desk) -> None:
    desk.visit()
    desk.open()
    desk.page.evaluate(f"document.body.innerHTML = `{BUTTON}`")
    assert desk.page.evaluate("getComputedStyle(document.body).overflowY") == "visible"
    desk.open()
    expect(desk.dialog).to_be_visible()
    assert len(desk.server.boots) == 2
