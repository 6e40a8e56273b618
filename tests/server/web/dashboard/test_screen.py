"""The dashboard in Chromium, with real processes: live rows, uploads, keyboard, axe, policy."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from gpu_worker.contract import EventType, GarmentStatus, Reason, TryOnStatus
from server.infra.credentials import hash_password
from server.models import Garment, User, now
from server.rendering.words import reasons
from server.web.live.seats import seats_key
from tests.stage import Stage
from tests.waiting import DEADLINE_S, wait_for

ROOT = Path(__file__).parents[4]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PASSWORD = "a long enough password"
PAGES = ["", "garments", "garments/add", "try-ons", "install", "account"]
PHONE, DESK = {"width": 360, "height": 640}, {"width": 1440, "height": 900}

pytestmark = [pytest.mark.browser, pytest.mark.process]


@pytest.fixture(scope="module")
def house(quiet_house: Stage) -> Stage:
    """One server and one steward for all tests of this file."""
    quiet_house.serve()
    quiet_house.steward()
    return quiet_house


@pytest.fixture
def shop(house: Stage) -> Stage:
    """With rows of this test alone."""
    house.begin_anew()
    house.add(
        User(
            merchant_id=house.ada.id,
            email="ada@example.com",
            role="owner",
            password_hash=hash_password(PASSWORD),
        )
    )
    return house


@pytest.fixture
def context(browser: Browser, shop: Stage) -> Iterator[BrowserContext]:
    """Ada's browser. A refusal of the policy and an address outside fail the test."""
    made = browser.new_context(base_url=f"{shop.url}/dashboard/", viewport=DESK)  # type: ignore[arg-type]
    made.set_default_timeout(DEADLINE_S * 1000)
    wrong: list[str] = []
    allowed = (shop.url, shop.s3.endpoint_url, "data:", "blob:")
    made.on("request", lambda r: None if r.url.startswith(allowed) else wrong.append(r.url))
    made.on("weberror", lambda error: wrong.append(str(error.error)))
    made.on("console", lambda m: wrong.append(m.text) if "Content Security" in m.text else None)
    yield made
    made.close()
    assert wrong == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    made = context.new_page()
    made.goto("")
    expect(made.get_by_label("Email")).to_be_focused()
    made.keyboard.type("ada@example.com")
    made.keyboard.press("Tab")
    made.keyboard.type(PASSWORD)
    made.keyboard.press("Enter")
    expect(made.get_by_role("heading", level=1)).to_have_text("Ada's")
    return made


def test_row_moves_while_it_is_looked_at(shop: Stage, page: Page) -> None:
    garment = shop.garment(title="Plaid skirt")
    page.goto("try-ons")
    expect(page.get_by_text("No try-ons yet")).to_be_visible()
    expect(page.locator("[data-live-word]")).to_have_text("Live")
    row = shop.try_on(garment=garment)
    shop.change(row, position=1, ready_at=now() + timedelta(seconds=3))
    on_screen = page.locator(f"#{row.id}")
    expect(on_screen).to_contain_text("Plaid skirt")
    expect(on_screen).to_contain_text("Next, about ")
    expect(page.get_by_text("No try-ons yet")).to_be_hidden()
    shop.emit(row, EventType.RUNNING, step=3, steps=4)
    expect(on_screen.get_by_role("progressbar")).to_have_attribute("value", "3")
    shop.emit(row, EventType.SUCCEEDED)
    expect(on_screen).to_contain_text("Succeeded")
    expect(on_screen.locator("td.number")).to_have_text(re.compile(r"^\d+\.\d$"))


def test_newest_row_is_on_top_and_foreign_rows_stay_away(shop: Stage, page: Page) -> None:
    first = shop.try_on(age_s=60)
    page.goto("try-ons")
    expect(page.locator("[data-live-word]")).to_have_text("Live")
    theirs = shop.try_on(photo=shop.photo(shop.zoe), garment=shop.garment(shop.other_shop))
    shop.change(theirs, status=TryOnStatus.CANCELLED)
    second = shop.try_on()
    shop.change(second, status=TryOnStatus.CANCELLED)
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(2)
    assert [row.get_attribute("id") for row in rows.all()] == [second.id, first.id]


def test_page_catches_up_after_the_server_was_away(shop: Stage, page: Page) -> None:
    row = shop.try_on()
    page.goto("try-ons")
    word = page.locator("[data-live-word]")
    expect(word).to_have_text("Live")
    shop.server.kill()
    shop.server.wait()
    expect(word).to_have_text("Reconnecting")
    shop.change(row, status=TryOnStatus.CANCELLED)
    shop.serve()
    expect(page.locator(f"#{row.id}")).to_contain_text("Cancelled")


def test_page_comes_again_when_others_at_its_address_have_closed(shop: Stage, page: Page) -> None:
    page.goto("try-ons")
    word = page.locator("[data-live-word]")
    expect(word).to_have_text("Live")
    (here,) = shop.redis.scan_iter(seats_key("at:*"))
    shop.redis.zadd(here, {f"other-{n}": time.time() + 600 for n in range(1_000)})
    page.clock.install()
    page.reload()
    expect(word).to_have_text("Reconnecting")
    shop.redis.delete(here)
    page.clock.fast_forward(12_000)
    expect(word).to_have_text("Live")


def test_ada_adds_two_garments_and_sees_them_ready(shop: Stage, page: Page) -> None:
    page.goto("garments/add")
    page.locator("[data-files]").set_input_files(
        [
            _file("red_summer-dress.jpg"),
            _file("notes.txt", "txt"),
            _file("TEE 7.png", "png"),
            {"name": "none.jpg", "mimeType": "image/jpeg", "buffer": b""},
        ]
    )
    refused = page.locator("[data-refused] p")
    expect(refused).to_have_text(
        [
            f"notes.txt: {reasons.merchant(Reason.UNSUPPORTED_FORMAT)}",
            f"none.jpg: {reasons.merchant(Reason.EMPTY_FILE)}",
        ]
    )
    drafts = page.locator("form.draft")
    expect(drafts).to_have_count(2)
    expect(page.get_by_text("Uploaded")).to_have_count(2)
    expect(drafts.nth(0).get_by_label("Title")).to_have_value("Red summer dress")
    expect(drafts.nth(1).get_by_label("SKU")).to_have_value("TEE-7")
    drafts.nth(1).get_by_label("Category").select_option("upper")
    page.get_by_role("button", name="Add all 2 garments").click()
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#rows time")).to_have_text("Just now")
    category = drafts.get_by_label("Category")
    expect(category).to_be_focused()
    category.select_option("overall")
    drafts.get_by_role("button", name="Add garment").click()
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(drafts).to_have_count(0)
    for row in _garments(shop):
        expect(page.locator(f"#{row.id}")).to_contain_text("Cleaning")
        shop.emit(row, EventType.READY)
        expect(page.locator(f"#{row.id}")).to_contain_text("Ready")


def test_refused_garment_keeps_what_was_typed_and_its_picture(shop: Stage, page: Page) -> None:
    shop.garment(sku="TEE-7")
    page.goto("garments/add")
    page.locator("[data-files]").set_input_files([_file("TEE-7.jpg")])
    draft = page.locator("form.draft")
    expect(page.get_by_text("Uploaded")).to_be_visible()
    draft.get_by_label("Title").fill("My own title")
    draft.get_by_label("Category").select_option("upper")
    draft.get_by_role("button", name="Add garment").click()
    expect(draft).to_contain_text("You have a garment with this SKU already.")
    expect(draft.get_by_label("Title")).to_have_value("My own title")
    expect(draft.locator("[data-shot] img")).to_be_visible()
    draft.get_by_label("SKU").fill("TEE-8")
    draft.get_by_role("button", name="Add garment").click()
    expect(page.locator("#rows tr")).to_contain_text("My own title")


def test_deleting_asks_by_name_and_can_be_declined(shop: Stage, page: Page) -> None:
    garment = shop.garment(title="Plaid skirt")
    page.goto(f"garments/{garment.id}")
    page.get_by_role("button", name="Delete garment").press("Enter")
    question = page.get_by_role("dialog", name="Delete “Plaid skirt”?")
    expect(question.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    assert shop.read(garment) is not None
    page.get_by_role("button", name="Delete garment").press("Enter")
    question.get_by_role("button", name="Delete garment").press("Enter")
    expect(page.get_by_text("“Plaid skirt” and its pictures are deleted.")).to_be_visible()
    assert shop.read(garment) is None


def test_script_in_a_title_stays_text(shop: Stage, page: Page) -> None:
    shop.garment(title="<script>document.title = 'owned'</script><img src=x onerror=alert(1)>")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto("garments")
    expect(page.get_by_text("<script>document.title = 'owned'</script>")).to_be_visible()
    assert "owned" not in page.title()


def test_snippet_is_copied(shop: Stage, context: BrowserContext, page: Page) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("install")
    page.get_by_role("button", name="Copy Script").click()
    expect(page.locator(".toast")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f'data-site="{shop.shop.live_key}"' in copied


def test_log_out_with_the_keyboard(page: Page) -> None:
    page.locator("summary", has_text="Account").press("Enter")
    page.get_by_role("button", name="Log out").press("Enter")
    expect(page.get_by_role("heading", name="Log in to your dashboard")).to_be_visible()
    page.goto("garments")
    expect(page.get_by_role("heading", name="Log in to your dashboard")).to_be_visible()


def test_first_tab_skips_to_the_content(page: Page) -> None:
    page.goto("garments")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page's content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_overflows(shop: Stage, page: Page, scheme: Any) -> None:
    _fill(shop)
    garment = _garments(shop)[0]
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for size in (PHONE, DESK):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        for path in [*PAGES, f"garments/{garment.id}"]:
            page.goto(path)
            assert _axe(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.context.clear_cookies()
    page.goto("login")
    assert _axe(page) == []


def _axe(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{v['id']}: {n['html'][:200]} {n['failureSummary']}" for v in found for n in v["nodes"]
    ]


def _fill(shop: Stage) -> None:
    """One row of each kind, with words that are too long."""
    long = "Donaudampfschifffahrtsgesellschaftskapitänsmützenband" * 2
    ready = shop.garment(title=long, sku=long)
    shop.garment(status=GarmentStatus.REJECTED, reasons=["garment_on_model"])
    shop.garment(status=GarmentStatus.CLEANING)
    for status in TryOnStatus:
        shop.try_on(
            garment=ready,
            status=status,
            position=2,
            ready_at=now() + timedelta(seconds=7),
            step=1,
            steps=4,
        )
    shop.try_on(status=TryOnStatus.FAILED, error_code="crop_too_tight", total_ms=4000)


def _garments(shop: Stage) -> list[Garment]:
    def found() -> list[Garment]:
        with shop.services.read() as session:
            return session.query(Garment).all()

    return list(wait_for(found))


def _file(name: str, kind: str = "jpeg") -> Any:
    out = io.BytesIO()
    if kind != "txt":
        Image.new("RGB", (300, 400), (180, 40, 60)).save(out, kind)
    return {"name": name, "mimeType": f"image/{kind}", "buffer": out.getvalue() or b"words"}
