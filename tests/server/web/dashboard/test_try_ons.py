"""The list of try-ons: what a merchant sees of each, and what she never sees."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from markupsafe import escape

from gpu_worker.contract import Reason, TryOnStatus
from server import models
from server.rendering.words import reasons
from tests.server.web.dashboard.conftest import House, Person

SOON = models.now() + timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"position": 3, "ready_at": SOON}, ["Queued", "Place 3, about "]),
        ({"position": 1}, ["Queued", "Next"]),
        (
            {"status": TryOnStatus.RUNNING, "step": 12, "steps": 30},
            ["Running", 'value="12" max="30"', "Step 12 of 30"],
        ),
        ({"status": TryOnStatus.SUCCEEDED, "total_ms": 4_240}, ["Succeeded", "4.2"]),
        (
            {"status": TryOnStatus.FAILED, "error_code": Reason.CROP_TOO_TIGHT.value},
            ["Failed", escape(reasons.merchant(Reason.CROP_TOO_TIGHT))],
        ),
        ({"status": TryOnStatus.CANCELLED}, ["Cancelled"]),
        ({"status": TryOnStatus.EXPIRED}, ["Expired"]),
        ({"mode": "test"}, ["Test"]),
    ],
)
def test_row_says_how_it_stands(
    house: House, ada: Person, changes: dict[str, Any], words: list[str]
) -> None:
    house.try_on(garment=house.garment(title="Plaid skirt", sku="SKIRT-1"), **changes)
    page = ada.get("/dashboard/try-ons").text
    for word in ["Plaid skirt", "SKIRT-1", "preview", *words]:
        assert word in page


def test_empty_list_says_what_to_do(ada: Person) -> None:
    page = ada.get("/dashboard/try-ons").text
    assert "No try-ons yet" in page
    assert "Put the button in your shop" in page


def test_list_is_paged_and_narrowed_by_mode(house: House, ada: Person) -> None:
    for number in range(30):
        then = models.now() - timedelta(minutes=number)
        house.try_on(created_at=then, mode="test" if number % 3 == 0 else "live")
    page = ada.get("/dashboard/try-ons").text
    assert page.count("<tr id=") == 25
    assert "data-more" in page
    only = ada.get("/dashboard/try-ons?mode=test").text
    assert only.count("<tr id=") == 10
    assert 'data-mode="live"' not in only


def test_garment_that_is_gone_leaves_its_try_ons(house: House, ada: Person) -> None:
    house.try_on(status=TryOnStatus.SUCCEEDED)
    assert "Deleted garment" in ada.get("/dashboard/try-ons").text


def test_picture_is_shown_only_where_the_shopper_shared_it(house: House, ada: Person) -> None:
    photo = house.photo()
    kept = house.try_on(status=TryOnStatus.SUCCEEDED, photo_id=photo.id)
    shared = house.try_on(status=TryOnStatus.SUCCEEDED, photo_id=photo.id, shared=True)
    deleted = house.try_on(
        status=TryOnStatus.SUCCEEDED, shared=True, deleted_at=models.now(), result_key=None
    )
    for path in ("/dashboard/try-ons", "/dashboard/"):
        page = ada.get(path).text
        assert f"pictures/{shared.id}.jpg" in page
        assert f"pictures/{kept.id}.jpg" not in page
        assert f"pictures/{deleted.id}.jpg" not in page
        assert photo.id not in page
        assert "Picture deleted" in page


def test_cleo_sees_none_of_adas(house: House, cleo: Person) -> None:
    theirs = house.try_on()
    assert theirs.id not in cleo.get("/dashboard/try-ons").text
    assert theirs.id not in cleo.get("/dashboard/").text


def test_bad_cursor_is_a_page_of_ours(ada: Person) -> None:
    answer = ada.get("/dashboard/try-ons?cursor=nonsense")
    assert answer.status_code == 400
    assert "Bad cursor" in answer.text
