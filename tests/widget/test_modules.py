"""The widget's modules, each alone, in Chromium: messages, pushes, photos, the store's errors."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.widget.conftest import STATIC

pytestmark = pytest.mark.browser

SHOP, NONCE = "https://shop.example", "n-1"
INIT = {"proteus": 1, "type": "init", "nonce": NONCE, "boot_token": "b"}


def call(page: Page, module: str, function: str, *args: Any) -> Any:
    script = "async ([m, f, a]) => (await import(m))[f](...a)"
    return page.evaluate(script, [f"/{module}", function, list(args)])


# --- host.js -------------------------------------------------------------------------------------


def is_from_host(page: Page, event: dict[str, Any], **expected: Any) -> Any:
    given = {"origin": SHOP, "source": "host", "data": INIT, **event}
    wanted = {"origins": [SHOP], "host": "host", "nonce": NONCE, **expected}
    return call(page, "host.js", "isFromHost", given, wanted)


@pytest.mark.parametrize(
    "data",
    [
        INIT,
        {**INIT, "locale": "de", "theme": "dark"},
        {"proteus": 1, "type": "variant", "nonce": NONCE, "variant": {"size": "M"}},
        {"proteus": 1, "type": "closed", "nonce": NONCE},
    ],
)
def test_the_shops_own_messages_are_heard(page: Page, data: dict[str, Any]) -> None:
    assert is_from_host(page, {"data": data}) is True


@pytest.mark.parametrize(
    "event",
    [
        {"origin": "https://shop.example.evil.com"},
        {"origin": "https://evil.com"},
        {"origin": "http://shop.example"},
        {"origin": "https://shop.example:8443"},
        {"origin": "https://SHOP.example"},
        {"origin": "null"},
        {"origin": ""},
        {"source": "another window"},
        {"source": None},
        {"data": {**INIT, "nonce": "n-2"}},
        {"data": {**INIT, "nonce": ""}},
        {"data": {key: INIT[key] for key in INIT if key != "nonce"}},
        {"data": None},
        {"data": "init"},
        {"data": 1},
        {"data": []},
        {"data": {**INIT, "proteus": 2}},
        {"data": {**INIT, "proteus": "1"}},
        {"data": {**INIT, "type": "add_to_cart"}},
        {"data": {**INIT, "type": "constructor"}},
        {"data": {**INIT, "type": 5}},
        {"data": {**INIT, "boot_token": 5}},
        {"data": {"proteus": 1, "type": "init", "nonce": NONCE}},
        {"data": {**INIT, "theme": {"dark": True}}},
    ],
)
def test_every_other_message_is_ignored(page: Page, event: dict[str, Any]) -> None:
    assert is_from_host(page, event) is False


def test_without_a_nonce_of_its_own_the_widget_hears_nobody(page: Page) -> None:
    data = {**INIT, "nonce": ""}
    assert is_from_host(page, {"data": data}, nonce="") is False


# --- live.js -------------------------------------------------------------------------------------


def only_news(page: Page, shown: str, pushed: str) -> str:
    page.evaluate("(html) => { document.body.innerHTML = html }", shown)
    return str(call(page, "live.js", "onlyNews", pushed))


def card(version: int, words: str = "new") -> str:
    return f'<p id="card-a" data-version="{version}" hx-swap-oob="true">{words}</p>'


@pytest.mark.parametrize(("version", "is_news"), [(4, True), (3, False), (2, False), (10, True)])
def test_a_push_is_taken_when_it_is_newer(page: Page, version: int, is_news: bool) -> None:
    left = only_news(page, '<p id="card-a" data-version="3">old</p>', card(version))
    assert ("new" in left) is is_news


def test_a_push_for_another_card_is_kept_until_the_card_comes(page: Page) -> None:
    assert only_news(page, "<p>elsewhere</p>", card(5)) == ""
    swapped = page.evaluate(
        """async () => {
          const { showPending } = await import("/live.js");
          const swaps = [];
          globalThis.htmx = { swap: (_target, html) => swaps.push(html) };
          showPending();
          document.body.innerHTML = '<p id="card-a" data-version="1">waiting</p>';
          showPending();
          showPending();
          return swaps;
        }"""
    )
    assert len(swapped) == 1
    assert "new" in swapped[0]


def test_an_answer_that_is_no_push_is_left_alone(page: Page) -> None:
    answer = '<section id="card-a" data-version="1">first</section>'
    assert only_news(page, '<p id="card-a" data-version="3">old</p>', answer) == answer


# --- photo.js ------------------------------------------------------------------------------------


def picture(size: tuple[int, int], kind: str = "JPEG", mode: str = "RGB", **save: Any) -> bytes:
    made = Image.new(mode, size, (200, 30, 30, 0)[: len(mode)])
    made.paste((20, 20, 200, 255)[: len(mode)], (0, 0, size[0] // 2, size[1] // 2))
    out = io.BytesIO()
    made.save(out, kind, **save)
    return out.getvalue()


def rotated_with_gps() -> bytes:
    """As a phone makes it: lying on its side, with a note to turn it and where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", (52.0, 31.0, 12.0)
    return picture((1600, 1200), exif=exif)


LIMITS = {
    "maxSidePx": 2048,
    "minSidePx": 256,
    "maxBytes": 10_485_760,
    "types": ["image/jpeg", "image/png", "image/webp"],
}


def prepare(page: Page, content: bytes, kind: str, **limits: int) -> Any:
    """What the browser would send: a picture, or the code of the refusal."""
    return page.evaluate(
        """async ([base64, type, limits]) => {
          const { prepare } = await import("/photo.js");
          const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
          try {
            const blob = await prepare(new Blob([bytes], { type }), limits);
            const sent = new Uint8Array(await blob.arrayBuffer());
            return { type: blob.type, bytes: btoa(String.fromCharCode(...sent)) };
          } catch (error) {
            return { code: error.code };
          }
        }""",
        [base64.b64encode(content).decode(), kind, LIMITS | limits],
    )


def sent_picture(answer: Any) -> Image.Image:
    assert answer.get("type") == "image/jpeg", answer
    return Image.open(io.BytesIO(base64.b64decode(answer["bytes"])))


def test_a_phones_photo_is_turned_upright_and_loses_place_and_date(page: Page) -> None:
    photo = sent_picture(prepare(page, rotated_with_gps(), "image/jpeg"))
    assert photo.size == (1200, 1600)
    assert not photo.getexif()
    assert b"Exif" not in (photo.info.get("exif") or b"")
    blue = photo.convert("RGB").getpixel((1190, 10))
    assert isinstance(blue, tuple)
    assert blue[2] > 150


@pytest.mark.parametrize(
    ("size", "kind", "mime", "expected"),
    [
        ((4000, 3000), "JPEG", "image/jpeg", (2048, 1536)),
        ((1080, 1920), "WEBP", "image/webp", (1080, 1920)),
        ((300, 400), "PNG", "image/png", (300, 400)),
    ],
)
def test_photos_are_bounded_and_never_enlarged(
    page: Page, size: tuple[int, int], kind: str, mime: str, expected: tuple[int, int]
) -> None:
    assert sent_picture(prepare(page, picture(size, kind), mime)).size == expected


def test_what_is_transparent_becomes_white(page: Page) -> None:
    photo = sent_picture(prepare(page, picture((400, 400), "PNG", "RGBA"), "image/png"))
    corner = photo.convert("RGB").getpixel((390, 390))
    assert isinstance(corner, tuple)
    assert min(corner) > 250


@pytest.mark.parametrize(
    ("content", "mime", "code"),
    [
        (b"", "image/jpeg", "empty_file"),
        (b"no picture at all", "application/pdf", "unreadable_photo"),
        (b"no picture at all", "image/heic", "unreadable_photo"),
        (picture((40, 900)), "image/jpeg", "image_too_small"),
        (b"\xff\xd8" + bytes(10_485_760), "image/jpeg", "file_too_large"),
    ],
)
def test_what_cannot_become_a_photo_is_refused(
    page: Page, content: bytes, mime: str, code: str
) -> None:
    assert prepare(page, content, mime) == {"code": code}


@pytest.mark.parametrize(
    ("content", "limits", "code"),
    [
        (picture((300, 300)), {"minSidePx": 301}, "image_too_small"),
        (picture((300, 300)), {"maxBytes": 500}, "file_too_large"),
        (b"\xff\xd8" + bytes(1000), {"maxBytes": 1000}, "file_too_large"),
    ],
)
def test_the_limits_are_the_ones_it_is_given(
    page: Page, content: bytes, limits: dict[str, int], code: str
) -> None:
    assert prepare(page, content, "image/jpeg", **limits) == {"code": code}
    photo = sent_picture(prepare(page, picture((900, 600)), "image/jpeg", maxSidePx=600))
    assert photo.size == (600, 400)


def test_what_only_the_server_may_be_able_to_read_is_sent_as_it_is(page: Page) -> None:
    answer = prepare(page, b"\xff\xd8 cut short", "image/jpeg")
    assert base64.b64decode(answer["bytes"]) == b"\xff\xd8 cut short"


# --- upload.js, people.js ------------------------------------------------------------------------


def error(code: str, message: str = "") -> str:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"


@pytest.mark.parametrize(
    ("status", "xml", "code"),
    [
        (403, error("SignatureDoesNotMatch"), "type_mismatch"),
        (403, error("AccessDenied", "Request has expired"), "upload_expired"),
        (403, error("AccessDenied"), "upload_failed"),
        (400, error("EntityTooLarge"), "file_too_large"),
        (503, error("SlowDown"), "unavailable"),
        (500, "<html>", "unavailable"),
        (404, "", "upload_failed"),
    ],
)
def test_the_stores_errors_become_ours(page: Page, status: int, xml: str, code: str) -> None:
    assert call(page, "upload.js", "codeOf", status, xml) == code


def test_boxes_lie_on_the_image_and_not_on_its_margins(page: Page) -> None:
    image, room = {"width": 100, "height": 200}, {"width": 400, "height": 400}
    assert call(page, "people.js", "contained", image, room) == {
        "left": 100,
        "top": 0,
        "width": 200,
        "height": 400,
    }


# --- the house -----------------------------------------------------------------------------------


def test_no_module_touches_storage_or_cookies() -> None:
    for path in STATIC.glob("*.js"):
        text = path.read_text()
        for word in ("localStorage", "sessionStorage", "document.cookie", "indexedDB", "eval("):
            assert word not in text, f"{path.name}: {word}"
