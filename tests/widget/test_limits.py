"""A server with limits of its own: its page keeps to them, and so does what is pushed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from gpu_worker.contract import PhotoStatus, Reason
from tests.services import S3Settings
from tests.stage import Stage, stage
from tests.waiting import DEADLINE_S

GIVE = """async ([size]) => {
  const { prepare, limitsOf } = await import(document.querySelector("[src$='main.js']").src
    .replace("main.js", "photo.js"));
  const file = new Blob([new Uint8Array(size)], { type: "image/jpeg" });
  return prepare(file, limitsOf(document.body.dataset)).then((blob) => blob.size, (e) => e.code);
}"""


pytestmark = pytest.mark.process


@pytest.fixture
def shop(redis_url: str, sqlite_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Stage]:
    with stage(redis_url, sqlite_url, store, tmp_path) as made:
        made.serve(PROTEUS_MAX_UPLOAD_BYTES="2048")
        yield made


@pytest.mark.browser
def test_the_page_refuses_what_is_larger(browser: Browser, shop: Stage) -> None:
    page = browser.new_page()
    page.set_default_timeout(DEADLINE_S * 1000)
    page.goto(f"{shop.url}/w/{shop.shop.test_key}/states/start")
    assert page.evaluate(GIVE, [2048]) == 2048
    assert page.evaluate(GIVE, [2049]) == "file_too_large"
    said = page.evaluate("document.querySelector('[data-problem=file_too_large]').innerHTML")
    page.close()
    assert "This photo is larger than 2 KB." in said


@pytest.mark.parametrize("form", ["html", "json"])
def test_what_is_pushed_names_the_same_limit(shop: Stage, form: str) -> None:
    photo = shop.photo(status=PhotoStatus.CHECKING)
    live_socket = shop.listen(shop.sam, form)
    live_socket.read_to(photo.id)
    shop.change(photo, status=PhotoStatus.REJECTED, reasons=[Reason.FILE_TOO_LARGE.value])
    assert "larger than 2 KB." in live_socket.read_to("This photo is larger than")
