"""Her photo: what cannot be used and why, what is sent again, and the camera."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journey.shopper import PICTURE_MS, Shopper, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_photo_without_anybody_is_refused_in_words(sam: Shopper) -> None:
    garment = Path(__file__).parents[2] / "embed" / "demo" / "static" / "garment_tee_geo.jpg"
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    sam.agrees_and_gives(garment)
    card = sam.sees("rejected", PICTURE_MS)
    expect(card).to_contain_text("We can't see anyone in this photo.")
    with sam.page.expect_file_chooser():
        sam.presses("Choose another photo")


def test_a_file_that_is_no_picture_is_refused_before_it_is_sent(
    sam: Shopper, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.pdf"
    notes.write_bytes(b"%PDF-1.7 no picture")
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    sam.agrees_and_gives(notes)
    expect(sam.sees("problem")).to_contain_text("Your browser can't open this picture.")
    assert not [request for request in sam.requests if "/v1/uploads" in request.url]


def test_a_photo_that_did_not_get_through_is_sent_again(sam: Shopper, photo: Path) -> None:
    sam.page.route(
        lambda _: True,
        lambda route: route.abort() if route.request.method == "PUT" else route.fallback(),
    )
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    sam.agrees_and_gives(photo)
    expect(sam.sees("problem")).to_contain_text("Your photo did not get through.")
    sam.page.unroute_all()
    sam.presses("Try again")
    sam.gets_her_picture()


def test_a_photo_that_takes_long_to_open_is_shown_as_on_its_way(sam: Shopper, photo: Path) -> None:
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    sam.frame.evaluate("() => { globalThis.createImageBitmap = () => new Promise(() => {}) }")
    sam.agrees_and_gives(photo)
    sam.sees("sending")
    sam.presses("Cancel")
    sam.sees("start")


def test_a_camera_that_was_left_open_is_not_found_again(sam: Shopper) -> None:
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    sam.room.get_by_role("checkbox").check()
    sam.presses("Use the camera")
    sam.room.get_by_role("button", name="Take photo in 5 seconds").wait_for()
    sam.presses("Close the fitting room")
    expect(sam.page.locator("iframe[title='Fitting room']")).to_be_hidden()
    sam.opens_the_fitting_room()
    sam.sees("start")


def test_the_camera_takes_a_photo_after_a_countdown(sam: Shopper) -> None:
    sam.visit("tee-sunset")
    sam.opens_the_fitting_room()
    sam.room.get_by_role("checkbox").check()
    sam.presses("Use the camera")
    sam.sees("camera")
    sam.frame.wait_for_function("() => document.querySelector('video')?.videoWidth > 0")
    assert sam.violations(sam.frame) == []
    sam.presses("Take photo in 5 seconds")
    expect(sam.room.locator("[data-countdown]")).to_have_text("4")
    sam.presses("Use this photo")
    # Chromium's camera shows a green disc.
    expect(sam.sees("rejected", PICTURE_MS)).to_contain_text("We can't see anyone in this photo.")
