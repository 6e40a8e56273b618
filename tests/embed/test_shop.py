"""The demo shop: a strict retailer whose pages read well, sell, and hear the fitting room."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import escape
from playwright.sync_api import Browser, BrowserContext, Page, expect

from embed.demo.shop import ShopSettings, create_app, load_garments
from gpu_worker.contract import Category
from tests.embed.counterpart import KEY, FakeServer, serving

STATIC = Path(__file__).parents[2] / "embed" / "demo" / "static"
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
GARMENTS = load_garments()
PAGES = ["/", "/?department=lower", "/cart", "/nowhere"] + [f"/products/{sku}" for sku in GARMENTS]
SIZES = [(360, 640), (768, 1024), (1440, 900)]


@pytest.fixture
def client() -> FlaskClient:
    return create_app(ShopSettings("http://localhost:8080", KEY)).test_client()


# --- its pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sku", GARMENTS)
def test_a_product_page_has_what_one_buys_by(client: FlaskClient, sku: str) -> None:
    garment, html = GARMENTS[sku], client.get(f"/products/{sku}").text
    for wanted in (garment.title, f"€{garment.price}", garment.description, *garment.sizes):
        assert escape(wanted) in html
    assert f'data-proteus-garment="{sku}"' in html
    assert html.index(garment.image) < html.index("<h1>") < html.index("data-proteus-garment")


def test_the_snippet_is_pasted_on_every_page(client: FlaskClient) -> None:
    tag = (
        f'<script async src="http://localhost:8080/embed/v1/proteus.js" data-site="{KEY}"></script>'
    )
    for path in PAGES:
        assert client.get(path).text.count(tag) == 1, path


def test_its_wares_are_what_the_docs_say() -> None:
    assert len(GARMENTS) == 8
    assert {garment.category for garment in GARMENTS.values()} == {str(one) for one in Category}
    for garment in GARMENTS.values():
        assert (STATIC / garment.image).is_file()
        assert garment.colours[0].in_stock


def test_the_pictures_have_their_licences_beside_them(client: FlaskClient) -> None:
    licences = client.get("/static/LICENCES.md", buffered=True)
    assert "CC0" in licences.text
    for path in PAGES:
        assert "Every picture in this shop is a render" in client.get(path).text


def test_it_uses_the_one_sheet_of_tokens(client: FlaskClient) -> None:
    sheet = Path(__file__).parents[2] / "widget" / "static" / "tokens.css"
    assert client.get("/tokens.css", buffered=True).data == sheet.read_bytes()
    own = re.sub(r"--picture: #\w+;", "", (STATIC / "shop.css").read_text())
    assert re.findall(r"#[0-9a-f]{3,8}\b|rgba?\(", own) == []


@pytest.mark.parametrize("path", ["/products/none", "/?department=hats", "/products/", "/x"])
def test_what_there_is_not(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "There is nothing at this address" in answer.text


def test_its_policy_allows_nothing_inline(client: FlaskClient) -> None:
    for path in PAGES:
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in headers


# --- its settings --------------------------------------------------------------------------------

WRONG: list[tuple[dict[str, str], str]] = [
    ({}, "PROTEUS_PUBLISHABLE_KEY"),
    ({"PROTEUS_PUBLISHABLE_KEY": "sk_live_1"}, "PROTEUS_PUBLISHABLE_KEY"),
    (
        {"PROTEUS_PUBLISHABLE_KEY": KEY, "PROTEUS_SERVER_URL": "http://a.example/x"},
        "PROTEUS_SERVER_URL",
    ),
    ({"PROTEUS_PUBLISHABLE_KEY": KEY, "PROTEUS_SERVER_URL": "ftp://a"}, "PROTEUS_SERVER_URL"),
]


@pytest.mark.parametrize(("env", "name"), WRONG)
def test_a_wrong_setting_is_named(env: dict[str, str], name: str) -> None:
    with pytest.raises(SystemExit, match=f"^{name}: "):
        ShopSettings.from_env(env)


# --- in a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop_url(server_site: FakeServer) -> Iterator[str]:
    with serving(create_app(ShopSettings(server_site.url, KEY))) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def context(browser: Browser, shop_url: str, server_site: FakeServer) -> Iterator[BrowserContext]:
    """A shopper's browser. A complaint of the policy or of a script fails the test."""
    server_site.reset()
    made = browser.new_context(base_url=shop_url)
    wrong: list[str] = []
    made.on("weberror", lambda error: wrong.append(str(error.error)))
    made.on("console", lambda m: wrong.append(m.text) if "Content Security" in m.text else None)
    yield made
    made.close()
    assert wrong == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.mark.browser
def test_what_she_tries_on_she_can_buy(page: Page, server_site: FakeServer) -> None:
    page.goto("/products/tee-sunset")
    page.get_by_role("radio", name="L", exact=True).check()
    page.get_by_role("button", name="Try it on").click()
    widget = page.locator("proteus-room iframe").element_handle().content_frame()
    assert widget
    widget.wait_for_function("() => window.heard?.length === 2")
    variant = widget.evaluate("heard[1].variant")
    assert variant == "Pale grey, L"
    widget.evaluate("(variant) => say('add_to_cart', { garment: 'tee-sunset', variant })", variant)
    widget.evaluate("say('close')")
    cart = page.get_by_role("link", name="Cart, 1 piece")
    expect(cart).to_be_visible()
    cart.click()
    line = page.get_by_role("listitem").filter(has_text="Sunset T-shirt")
    expect(line).to_contain_text("Pale grey, L")
    expect(page.locator("[data-cart-total]")).to_have_text("€27.00")
    line.get_by_role("button", name="Remove Sunset T-shirt").click()
    expect(page.get_by_text("Your cart is empty.")).to_be_visible()


@pytest.mark.browser
def test_she_buys_without_trying_on(page: Page, server_site: FakeServer) -> None:
    page.goto("/products/dress-floral")
    for _ in range(2):
        page.get_by_role("button", name="Add to cart").click()
    expect(page.get_by_role("status")).to_have_text("In your cart: Cherry, M")
    expect(page.get_by_role("link", name="Cart, 2 pieces")).to_be_visible()
    page.goto("/cart")
    expect(page.locator("[data-cart-total]")).to_have_text("€196.00")
    assert server_site.boots == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_axe_finds_nothing_and_nothing_overflows(
    context: BrowserContext, size: tuple[int, int], scheme: Any
) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.add_init_script(path=AXE)
    for path in ("/", "/?department=upper", "/products/tee-geo", "/cart", "/nowhere"):
        page.goto(path)
        assert _axe(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") == size[0], path


@pytest.mark.browser
def test_at_four_times_the_size_nothing_overflows(page: Page) -> None:
    """1280 px at 400 %, as the reflow criterion of WCAG has it."""
    page.set_viewport_size({"width": 320, "height": 256})
    for path in ("/", "/products/sweatshirt-word", "/cart"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path


@pytest.mark.browser
def test_the_button_is_seen_without_scrolling(page: Page) -> None:
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.goto("/products/longsleeve-stripes")
        box = page.get_by_role("button", name="Try it on").bounding_box()
        assert box
        assert box["y"] + box["height"] < height, (width, height)


def _axe(page: Page) -> list[str]:
    found: list[dict[str, Any]] = page.evaluate("() => axe.run()")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found]
