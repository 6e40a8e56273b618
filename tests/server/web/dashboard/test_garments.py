"""Garments: the list, adding one with a picture in a real store, changing, retrying, deleting."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from markupsafe import escape

from gpu_worker.contract import TAILOR, Category, GarmentStatus, Lane, Reason, queue_name
from server import models
from server.models import Garment
from server.rendering.words import reasons
from tests.server.web.dashboard.conftest import House, Person

JPEG = b"\xff\xd8\xff\xe0" + bytes(400)  # nothing here looks inside


def announce(person: Person, **changes: Any) -> Any:
    person.get("/dashboard/garments/add")
    body = {"site_id": person.site.id, "content_type": "image/jpeg", "size_bytes": len(JPEG)}
    return person.client.post(
        "/dashboard/uploads", json=body | changes, headers={"X-CSRFToken": person.token}
    )


def upload(person: Person) -> str:
    announced = announce(person).get_json()
    sent = httpx.put(announced["url"], content=JPEG, headers=announced["headers"])
    assert sent.status_code == 200
    return str(announced["key"])


def form(person: Person, **changes: str) -> dict[str, str]:
    told = {
        "draft": "draft-1",
        "site_id": person.site.id,
        "title": "Sunset tee",
        "sku": "TEE-1",
        "category": "upper",
        "image_key": "uploads/none",
    }
    return told | changes


HTMX = {"HX-Request": "true"}


def test_ada_adds_a_garment(house: House, ada: Person) -> None:
    added = ada.post("/dashboard/garments", form(ada, image_key=upload(ada)), headers=HTMX)
    assert added.status_code == 200
    assert 'hx-swap-oob="afterbegin:#rows"' in added.text
    assert "Cleaning" in added.text
    listed = ada.get("/dashboard/garments").text
    assert "Sunset tee" in listed
    assert "TEE-1" in listed
    queue = queue_name(TAILOR, Lane.BULK, ada.site.merchant_id)
    assert house.services.redis.llen(f"rq:queue:{queue}") == 1


def test_empty_list_says_what_to_do(ada: Person) -> None:
    page = ada.get("/dashboard/garments").text
    assert "Add your first garment" in page
    assert "<table" not in page


def test_list_is_paged_newest_first(house: House, ada: Person) -> None:
    for number in range(27):
        then = models.now() - timedelta(minutes=number)
        house.garment(title=f"Garment {number:02d}", created_at=then)
    first = ada.get("/dashboard/garments").text
    assert first.index("Garment 00") < first.index("Garment 24")
    assert "Garment 25" not in first
    older = ada.get(_next_url(first)).text
    assert "Garment 26" in older
    assert "Back to the newest" in older
    assert "Garment 24" not in older


def _next_url(page: str) -> str:
    start = page.index('rel="next" href="') + len('rel="next" href="')
    return page[start : page.index('"', start)].replace("&amp;", "&")


def test_titles_are_escaped_everywhere(house: House, ada: Person) -> None:
    title = "<script>alert(1)</script>"
    garment = house.garment(title=title, sku='"><img src=x>')
    house.try_on(garment=garment)
    for path in ("/dashboard/garments", f"/dashboard/garments/{garment.id}", "/dashboard/try-ons"):
        page = ada.get(path).text
        assert title not in page
        assert "<img src=x>" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_rejected_garment_says_why_and_takes_another_picture(house: House, ada: Person) -> None:
    garment = house.garment(
        title="Plaid skirt",
        sku="SKIRT-1",
        category=Category.LOWER,
        status=GarmentStatus.REJECTED,
        reasons=[Reason.GARMENT_ON_MODEL.value],
    )
    page = ada.get(f"/dashboard/garments/{garment.id}").text
    assert "Rejected" in page
    assert escape(reasons.merchant(Reason.GARMENT_ON_MODEL)) in page
    assert f"/dashboard/garments/add?replaces={garment.id}" in page
    form_again = ada.get(f"/dashboard/garments/add?replaces={garment.id}").text
    assert 'value="Plaid skirt"' in form_again
    assert 'value="SKIRT-1"' in form_again
    told = form(ada, sku="SKIRT-1", image_key=upload(ada), replaces=garment.id)
    assert ada.post("/dashboard/garments", told, headers=HTMX).status_code == 200
    assert _row(house, garment.id) is None
    assert "Cleaning" in ada.get("/dashboard/garments").text


def test_rejected_garment_stays_where_its_follower_is_refused(house: House, ada: Person) -> None:
    house.garment(sku="TEE-1")
    garment = house.garment(sku="SKIRT-1", status=GarmentStatus.REJECTED)
    told = form(ada, sku="TEE-1", image_key=upload(ada), replaces=garment.id)
    assert ada.post("/dashboard/garments", told, headers=HTMX).status_code == 422
    assert _row(house, garment.id) is not None


def test_ready_garment_is_never_replaced(house: House, ada: Person) -> None:
    garment = house.garment(sku="TEE-1")
    told = form(ada, sku="TEE-1", image_key=upload(ada), replaces=garment.id)
    assert ada.post("/dashboard/garments", told, headers=HTMX).status_code == 422
    assert _row(house, garment.id) is not None


def test_ada_changes_title_and_category(house: House, ada: Person) -> None:
    garment = house.garment()
    ada.get(f"/dashboard/garments/{garment.id}")
    changed = ada.post(
        f"/dashboard/garments/{garment.id}", {"title": " Sunrise tee ", "category": "overall"}
    )
    assert changed.status_code == 303
    row = _row(house, garment.id)
    assert row is not None
    assert (row.title, row.category) == ("Sunrise tee", Category.OVERALL)


def test_ada_deletes_a_garment_after_reading_what_goes(house: House, ada: Person) -> None:
    garment = house.garment(title="Plaid skirt", sku="SKIRT-1")
    page = ada.get(f"/dashboard/garments/{garment.id}").text
    assert "Delete “Plaid skirt”?" in page
    assert "SKIRT-1" in page
    gone = ada.post(f"/dashboard/garments/{garment.id}/delete")
    assert gone.status_code == 303
    assert "“Plaid skirt” and its pictures are deleted." in ada.get(gone.location).text
    assert _row(house, garment.id) is None


def _row(house: House, garment_id: str) -> Garment | None:
    with house.services.read() as session:
        return session.get(Garment, garment_id)


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": "  "}, "Give it a title"),
        ({"title": "x" * 201}, "Give it a title"),
        ({"title": "two\nlines"}, "Give it a title"),
        ({"sku": ""}, "Give it the SKU"),
        ({"sku": "x" * 101}, "Give it the SKU"),
        ({"sku": "a\x00b"}, "Give it the SKU"),
        ({"category": "hat"}, "Choose what it dresses."),
        ({"category": ""}, "Choose what it dresses."),
        ({"image_key": ""}, "Its picture has not arrived."),
        ({"image_key": "photos/pho_1/photo.jpg"}, "Its picture has not arrived."),
    ],
)
def test_refused_form_comes_back_with_words(
    ada: Person, changes: dict[str, str], sentence: str
) -> None:
    ada.get("/dashboard/garments/add")
    answer = ada.post("/dashboard/garments", form(ada, **changes), headers=HTMX)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'data-draft="draft-1"' in answer.text
    assert "csrf" not in answer.text.lower()


def test_taken_sku_is_said_beside_the_field(house: House, ada: Person) -> None:
    house.garment(sku="TEE-1")
    answer = ada.post("/dashboard/garments", form(ada, image_key=upload(ada)), headers=HTMX)
    assert answer.status_code == 422
    assert "You have a garment with this SKU already." in answer.text


def test_refused_details_come_back_with_words(house: House, ada: Person) -> None:
    garment = house.garment()
    ada.get(f"/dashboard/garments/{garment.id}")
    answer = ada.post(f"/dashboard/garments/{garment.id}", {"title": "", "category": "upper"})
    assert answer.status_code == 422
    assert "Give it a title" in answer.text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"content_type": "image/svg+xml"}, "unsupported_format"),
        ({"size_bytes": 0}, "empty_file"),
        ({"size_bytes": 11_000_000}, "file_too_large"),
        ({"size_bytes": "many"}, "invalid"),
        ({"site_id": "sit_none"}, "not_found"),
        ({"purpose": "photo"}, "invalid"),
    ],
)
def test_refused_upload(ada: Person, changes: dict[str, Any], code: str) -> None:
    answer = announce(ada, **changes)
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["code"] == code


def test_cleo_finds_nothing_of_adas(house: House, ada: Person, cleo: Person) -> None:
    garment = house.garment()
    assert garment.id not in cleo.get("/dashboard/garments").text
    assert cleo.get(f"/dashboard/garments/{garment.id}").status_code == 404
    for action in ("", "/delete"):
        cleo.get("/dashboard/")
        path = f"/dashboard/garments/{garment.id}{action}"
        assert cleo.post(path, {"title": "Mine", "category": "upper"}).status_code == 404
    assert _row(house, garment.id) is not None
    assert cleo.get(f"/dashboard/garments/add?replaces={garment.id}").status_code == 404
    assert announce(cleo, site_id=ada.site.id).status_code == 404
    stolen = form(cleo, image_key=upload(ada))
    cleo.get("/dashboard/garments/add")
    assert cleo.post("/dashboard/garments", stolen, headers=HTMX).status_code == 422
