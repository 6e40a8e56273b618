"""The journey: a shopper opens the fitting room on a shop's page and gets her picture.

Two sites (the server on localhost, the shop on 127.0.0.1), storage blocked in the frame, a
phone's screen, real processes.
"""

from __future__ import annotations

import http.server
import os
import re
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Error as BrowserError

from bench.shoppers import Shopper as Stranger
from bench.stack import RunningStack
from tests.journey.shopper import DESK, PICTURE_MS, SOON_MS, Shopper, expect
from tests.journey.workers import held, slow_worker
from tests.launcher import Launcher
from tests.waiting import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]


HEARS = """globalThis.heard = [];
for (const name of ["open", "status", "result", "add-to-cart", "error", "close"])
  document.addEventListener(`proteus:${name}`, (e) => heard.push([name, e.detail]));"""


def api(shopper: Shopper) -> httpx.Client:
    """The merchant's own server."""
    bearer = {"Authorization": f"Bearer {shopper.demo['secret_key']}"}
    return httpx.Client(base_url=shopper.demo["server_url"], headers=bearer, timeout=20)


# --- the whole journey ---------------------------------------------------------------------------


def test_she_sees_herself_finds_it_again_and_deletes_it(sam: Shopper, photo: Path) -> None:
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    assert sam.storage_error() == "SecurityError"

    sam.agrees_and_gives(photo)
    try_on_id = sam.gets_her_picture()
    picture = sam.room.locator(".compare-after")
    assert picture.evaluate("async (img) => { await img.decode(); return img.naturalWidth }") > 500
    expect(sam.room.get_by_text("Made by AI")).to_be_visible()

    sam.visit("tee-geo")
    sam.opens_the_fitting_room()
    sam.sees("again")
    sam.room.locator(f"[data-open='{try_on_id}']").click()
    assert sam.sees("result").get_attribute("data-try-on") == try_on_id

    sam.presses("Delete")
    sam.presses("Delete photo and pictures")
    sam.sees("deleted")
    expect(sam.room.locator("#history")).to_be_hidden()
    with api(sam) as merchant:
        assert merchant.get(f"/v1/try-ons/{try_on_id}").status_code == 410
    sam.presses("Start again")
    sam.sees("start")

    sam.visit("tee-geo")
    sam.opens_the_fitting_room()
    sam.sees("start")
    expect(sam.room.locator("#history")).to_be_hidden()
    assert sam.complaints == []
    assert sam.foreign_requests() == []


def test_the_picture_is_pushed_and_not_asked_for(sam: Shopper, photo: Path) -> None:
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    sam.agrees_and_gives(photo)
    sam.sees("waiting", PICTURE_MS)
    asked = len(sam.requests)
    try_on_id = sam.gets_her_picture()
    later = [request.url for request in sam.requests[asked:]]
    assert not [url for url in later if f"/try-ons/{try_on_id}" in url]
    assert any(f"card-{try_on_id}" in frame for frame in sam.frames)


def test_the_shop_hears_what_happens(sam: Shopper, photo: Path) -> None:
    sam.page.add_init_script(HEARS)
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    sam.agrees_and_gives(photo)
    try_on_id = sam.gets_her_picture()
    sam.presses("Add to cart")
    expect(sam.room.get_by_role("button", name="Added to cart")).to_be_visible()
    sam.presses("Close the fitting room")
    expect(sam.page.locator("iframe[title='Fitting room']")).to_be_hidden()
    heard: list[Any] = sam.page.evaluate("heard")
    names = [name for name, _ in heard]
    assert names[0] == "open"
    assert names[-3:] == ["result", "add-to-cart", "close"]
    said = dict(heard)
    assert said["result"]["try_on_id"] == try_on_id
    assert "url" not in said["result"]
    assert said["add-to-cart"]["garment"] == "tee-sunset"


def test_a_picture_of_another_item_is_named_and_bought_as_that_item(
    sam: Shopper, photo: Path
) -> None:
    sam.page.add_init_script(HEARS)
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    sam.agrees_and_gives(photo)
    try_on_id = sam.gets_her_picture()
    sam.visit("tee-geo")
    sam.opens_the_fitting_room()
    title = sam.room.locator(".header-title")
    expect(title).to_have_text("Geometric print T-shirt")
    sam.sees("again")
    sam.room.locator(f"[data-open='{try_on_id}']").click()
    sam.sees("result")
    expect(title).to_have_text("Sunset T-shirt")
    sam.presses("Add to cart")
    sam.page.wait_for_function("heard.at(-1)[0] === 'add-to-cart'")
    bought = sam.page.evaluate("heard.at(-1)[1]")
    assert bought == {"garment": "tee-sunset", "variant": None}  # the page's size is another's
    sam.presses("Try another photo")
    expect(title).to_have_text("Geometric print T-shirt")


def test_an_item_that_is_not_there_asks_nobody_for_a_photo(sam: Shopper) -> None:
    sam.page.add_init_script(HEARS)
    sam.visit("tee-sunset")
    sam.try_button.evaluate("(button) => { button.dataset.proteusGarment = 'NO-SUCH-SKU' }")
    sam.opens_the_fitting_room()
    expect(sam.sees("problem")).to_contain_text("This item can't be tried on yet.")
    assert sam.page.evaluate("heard.at(-1)") == ["error", {"code": "garment_missing"}]


# --- by keyboard, for every eye ------------------------------------------------------------------


def press_until(sam: Shopper, key: str, words: str) -> None:
    """Tabs on until the focus is on a control of these words."""
    label = """() => { const e = globalThis.focusedBefore = document.activeElement;
      const words = [e.getAttribute("aria-label"), e.textContent, e.id];
      return e === document.body ? "" : words.join(" ") }"""
    for _ in range(25):
        if words in str(sam.frame.evaluate(label)):
            return
        sam.page.keyboard.press(key)
        # The key may be answered before the focus has moved into, within or out of the frame.
        with suppress(BrowserError):
            sam.frame.wait_for_function(
                "() => document.activeElement !== globalThis.focusedBefore", timeout=1000
            )
    raise AssertionError(f"no key leads to {words!r}")


def test_the_keyboard_alone_is_enough(sam: Shopper, photo: Path) -> None:
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    keyboard = sam.page.keyboard
    press_until(sam, "Tab", "Choose a photo")
    keyboard.press("Enter")
    expect(sam.room.get_by_role("alert")).to_contain_text("Please agree first")
    press_until(sam, "Shift+Tab", "consent")
    keyboard.press("Space")
    press_until(sam, "Tab", "Choose a photo")
    with sam.page.expect_file_chooser() as chooser:
        keyboard.press("Enter")
    chooser.value.set_files(photo)

    sam.gets_her_picture()
    sam.expects_focus("Here you are")
    press_until(sam, "Tab", "Show more of your own photo")
    slider = sam.room.get_by_role("slider")
    expect(slider).to_have_value("12")
    keyboard.press("ArrowRight")
    expect(slider).to_have_value("13")
    expect(sam.room.locator("[data-compare]")).to_have_attribute("style", re.compile("--at: 13%"))

    press_until(sam, "Tab", "Delete")
    keyboard.press("Enter")
    sam.expects_focus("Keep them")
    keyboard.press("Escape")
    expect(sam.room.locator("dialog")).to_be_hidden()
    sam.expects_focus("Delete")
    keyboard.press("Escape")
    expect(sam.page.locator("iframe[title='Fitting room']")).to_be_hidden()


def test_axe_finds_nothing_wrong_on_the_way(sam: Shopper, photo: Path) -> None:
    sam.visit("tee-sunset")
    assert sam.violations(sam.page) == []
    sam.opens_the_fitting_room()
    assert sam.violations(sam.page) == []
    assert sam.violations(sam.frame) == []
    sam.agrees_and_gives(photo)
    sam.gets_her_picture()
    assert sam.violations(sam.frame) == []
    sam.presses("Delete")
    assert sam.violations(sam.frame) == []


def test_a_desk_sees_photo_and_actions_side_by_side(
    chromium: Browser, stack: Launcher, photo: Path
) -> None:
    with Shopper.arrives(chromium, stack.demo(), DESK) as sam:
        sam.visit("tee-sunset")
        sam.opens_the_fitting_room()
        assert sam.frame.evaluate("innerWidth") == 440
        sam.agrees_and_gives(photo)
        sam.gets_her_picture()
        sam.frame.wait_for_function("innerWidth > 800")
        shown = sam.room.locator(".compare").bounding_box()
        side = sam.room.locator(".side").bounding_box()
        assert shown
        assert side
        assert side["x"] >= shown["x"] + shown["width"]
        assert shown["height"] >= 0.7 * sam.frame.evaluate("innerHeight")


def test_a_phone_gives_the_picture_seven_tenths_of_its_height(sam: Shopper, photo: Path) -> None:
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    sam.agrees_and_gives(photo)
    sam.gets_her_picture()
    shown = sam.room.locator(".compare").bounding_box()
    button = sam.room.get_by_role("button", name="Add to cart").bounding_box()
    assert shown
    assert button
    assert shown["height"] >= 0.7 * 640
    assert button["y"] + button["height"] <= 640
    assert sam.frame.evaluate("document.documentElement.scrollWidth <= innerWidth")


# --- a browser that keeps nothing ----------------------------------------------------------------


def test_where_every_cookie_is_refused_she_is_told(
    chromium: Browser, stack: Launcher, photo: Path, tmp_path: Path
) -> None:
    home, kind = tmp_path / "browser", chromium.browser_type
    with Shopper.keeps_nothing(kind, home, stack.demo()) as sam:
        sam.visit("tee-sunset")
        sam.opens_the_fitting_room()
        sam.agrees_and_gives(photo)
        sam.gets_her_picture()
        expect(sam.room.locator("#forgets")).to_be_visible()
        sam.visit("tee-sunset")
        sam.opens_the_fitting_room()
        sam.sees("start")
        expect(sam.room.locator("#history")).to_be_hidden()


# --- other people's pages ------------------------------------------------------------------------


class _Framing(http.server.BaseHTTPRequestHandler):
    """A page of another origin with the stolen widget in a frame."""

    widget_url = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f'<!doctype html><iframe src="{self.widget_url}"></iframe>'.encode())

    def log_message(self, *_args: object) -> None:
        """Quiet."""


def test_a_page_of_another_origin_cannot_frame_the_widget(sam: Shopper) -> None:
    _Framing.widget_url = f"{sam.demo['server_url']}/w/{sam.demo['publishable_key']}"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Framing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sam.page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
        sam.page.wait_for_function("() => frames.length === 1")
        server.shutdown()
    assert any("frame-ancestors" in words for words in sam.complaints)
    assert sam.page.frames[1].url.startswith("chrome-error:")
    assert not [r for r in sam.requests if "/w/static/" in r.url]


# --- place, progress, a lost socket --------------------------------------------------------------


def queue_others(sam: Shopper, photo: Path, count: int) -> None:
    """Other shoppers of the same shop, each at home, ask before her."""
    garment = next(g["id"] for g in sam.demo["garments"] if g["sku"] == "tee-geo")
    for number in range(count):
        other = Stranger(RunningStack(sam.demo, {}), address=f"127.0.2.{number + 1}")
        other.listen()
        other.try_on(other.give_photo(photo.read_bytes()), garment)
        other.leave()


def test_place_and_progress_come_from_queue_and_engine(
    sam: Shopper, stack: Launcher, photo: Path
) -> None:
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    with held(stack):
        queue_others(sam, photo, 3)
        sam.agrees_and_gives(photo)
        words = sam.room.locator(".progress-words")
        expect(words).to_contain_text("3 people ahead of you", timeout=PICTURE_MS)
        with slow_worker(stack):
            expect(words).to_contain_text("Making your picture", timeout=PICTURE_MS)
            sam.frame.wait_for_function(
                "() => document.querySelector('.progress progress[max=\"20\"]')?.value >= 5"
            )
            sam.gets_her_picture()
    told = "".join(sam.frames)
    assert "2 people ahead of you" in told or "1 person ahead of you" in told
    assert re.search(r'progress-time">(about \d+|a few) seconds', told)


def test_a_lost_connection_costs_nothing_and_the_picture_comes_once(
    sam: Shopper, stack: Launcher, photo: Path
) -> None:
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    with held(stack):
        sam.agrees_and_gives(photo)
        try_on_id = sam.sees("waiting", PICTURE_MS).get_attribute("data-try-on")
        sam.page.context.set_offline(True)
        expect(sam.room.locator("#offline")).to_be_visible(timeout=SOON_MS)
    with api(sam) as merchant:  # her picture is drawn meanwhile
        wait_for(lambda: merchant.get(f"/v1/try-ons/{try_on_id}").json()["status"] == "succeeded")
    assert sam.state() == "waiting"
    sam.page.context.set_offline(False)
    sam.gets_her_picture()
    expect(sam.room.locator("#offline")).to_be_hidden()
    assert sam.room.locator(".card").count() == 1
    assert sam.room.locator(".compare-after").count() == 1
    assert sam.room.locator(".history-item").count() == 1

    sam.page.context.set_offline(True)
    sam.presses("Save")
    expect(sam.room.locator("#not-saved")).to_be_visible(timeout=SOON_MS)
    assert sam.state() == "result"


def test_a_killed_server_costs_nothing(sam: Shopper, stack: Launcher, photo: Path) -> None:
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    with held(stack):
        sam.agrees_and_gives(photo)
        sam.sees("waiting", PICTURE_MS)
        os.kill(stack.pid("server"), signal.SIGKILL)
    sam.gets_her_picture()
    assert sam.sockets >= 2
    expect(sam.room.locator("#reconnecting")).to_be_hidden()
    assert sam.room.locator(".card").count() == 1


def test_a_phone_that_slept_listens_anew(sam: Shopper, stack: Launcher, photo: Path) -> None:
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    with held(stack):
        sam.agrees_and_gives(photo)
        sam.sees("waiting", PICTURE_MS)
        assert sam.sockets == 1
        sam.sleeps(for_s=60)
    sam.gets_her_picture()
    assert sam.sockets == 2
    assert sam.room.locator(".card").count() == 1


def test_one_picture_is_deleted_and_her_photo_stays(sam: Shopper, photo: Path) -> None:
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    sam.agrees_and_gives(photo)
    sam.gets_her_picture()
    sam.presses("Delete")
    sam.presses("Delete only this picture")
    sam.sees("again")
    expect(sam.room.locator("#history")).to_be_hidden()
    sam.presses("Try it on")
    sam.gets_her_picture()


def test_she_can_cancel(sam: Shopper, stack: Launcher, photo: Path) -> None:
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    with held(stack):
        sam.agrees_and_gives(photo)
        sam.sees("waiting", PICTURE_MS)
        sam.presses("Cancel")
        expect(sam.room.locator("h1")).to_have_text("You cancelled this picture.")
    sam.presses("Try again")
    sam.gets_her_picture()
