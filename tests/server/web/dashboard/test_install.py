"""Snippet, origins and keys: what Ada may, what Ben may not, what Cleo never finds."""

from __future__ import annotations

import re
from html import unescape

import pytest

from server import auth
from server.domain import sites
from server.infra.errors import Problem
from tests.server.web.dashboard.conftest import House, Person


def test_snippet_names_server_key_and_a_garment(house: House, ada: Person) -> None:
    house.garment(sku="TEE-1")
    page = unescape(ada.get("/dashboard/install").text)
    assert (
        '<script async src="http://localhost:8080/embed/v1/proteus.js" '
        f'data-site="{ada.site.live_key}"></script>'
    ) in page
    assert '<button type="button" data-proteus-garment="TEE-1">Try it on</button>' in page
    test = unescape(ada.get("/dashboard/install?mode=test").text)
    assert f'data-site="{ada.site.test_key}"></script>' in test


@pytest.mark.parametrize(
    ("pasted", "origin"),
    [
        ("https://www.shop.example", "https://www.shop.example"),
        ("https://De.Shop.Example/products/tee?x=1#y", "https://de.shop.example"),
        ("shop.example", None),  # is allowed already
        ("  https://shop.example:8443/ ", "https://shop.example:8443"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        ("http://localhost:3000/", "http://localhost:3000"),
    ],
)
def test_ada_adds_an_origin(house: House, ada: Person, pasted: str, origin: str | None) -> None:
    path = f"/dashboard/sites/{ada.site.id}/origins"
    assert ada.post(path, {"origin": pasted}).status_code == 303
    allowed = sites.get(house.services, ada.caller, ada.site.id).allowed_origins
    assert allowed == ["https://shop.example", *([origin] if origin else [])]


@pytest.mark.parametrize(
    ("pasted", "sentence"),
    [
        ("", "This is no shop"),
        ("https://", "This is no shop"),
        ("https://shop example", "This is no shop"),
        ("https://*.shop.example", "This is no shop"),
        ("https://user@shop.example", "This is no shop"),
        ("https://shop.example:99999", "This is no shop"),
        ("ftp://shop.example", "This is no shop"),
        ("null", None),
        ("http://shop.example", "Use https."),
    ],
)
def test_what_is_no_origin_is_refused_beside_the_field(
    house: House, ada: Person, pasted: str, sentence: str | None
) -> None:
    answer = ada.post(f"/dashboard/sites/{ada.site.id}/origins", {"origin": pasted})
    if sentence is None:  # a host like any other, with https before it
        assert answer.status_code == 303
        return
    assert answer.status_code == 422
    assert sentence in unescape(answer.text)
    allowed = sites.get(house.services, ada.caller, ada.site.id).allowed_origins
    assert allowed == ["https://shop.example"]


def test_ada_removes_an_origin(house: House, ada: Person) -> None:
    assert "Remove https://shop.example?" in ada.get("/dashboard/install").text
    path = f"/dashboard/sites/{ada.site.id}/origins/remove"
    assert ada.post(path, {"origin": "https://shop.example"}).status_code == 303
    assert "No origin yet." in ada.get("/dashboard/install").text


def test_secret_key_is_shown_once_and_works_until_revoked(house: House, ada: Person) -> None:
    ada.get("/dashboard/install")
    made = ada.post(f"/dashboard/sites/{ada.site.id}/keys", {"mode": "live"})
    found = re.search(r"sk_live_[0-9a-f]{20,}", made.text)
    assert found is not None
    secret = found[0]
    with house.app.test_request_context():
        assert auth.secret_caller(house.services, secret).site_id == ada.site.id
    page = ada.get("/dashboard/install").text
    assert secret not in page
    assert f"sk_live_…{secret[-4:]}" in page
    key = sites.secret_keys(house.services, ada.caller, ada.site.id)[0]
    ada.post(f"/dashboard/sites/{ada.site.id}/keys/{key.id}/revoke")
    with house.app.test_request_context(), pytest.raises(Problem, match="bad_key"):
        auth.secret_caller(house.services, secret)


def test_ben_sees_the_snippet_and_may_change_nothing(house: House, ben: Person) -> None:
    made = sites.create_secret_key(house.services, ben.caller, ben.site.id, "live")
    page = ben.get("/dashboard/install").text
    assert ben.site.live_key in page
    assert made.row.hint not in page
    assert "Only an owner" in page
    base = f"/dashboard/sites/{ben.site.id}"
    for path, data in (
        (f"{base}/origins", {"origin": "https://ben.example"}),
        (f"{base}/origins/remove", {"origin": "https://shop.example"}),
        (f"{base}/keys", {"mode": "live"}),
        (f"{base}/keys/{made.row.id}/revoke", {}),
    ):
        ben.get("/dashboard/")
        answer = ben.post(path, data)
        assert answer.status_code == 403
        assert "sk_live_" not in answer.text
    site = sites.get(house.services, ben.caller, ben.site.id)
    assert site.allowed_origins == ["https://shop.example"]
    assert len(sites.secret_keys(house.services, ben.caller, ben.site.id)) == 1


def test_ben_may_add_and_delete_garments(house: House, ben: Person) -> None:
    garment = house.garment()
    ben.get(f"/dashboard/garments/{garment.id}")
    assert ben.post(f"/dashboard/garments/{garment.id}/delete").status_code == 303


def test_cleo_finds_nothing_of_adas(house: House, ada: Person, cleo: Person) -> None:
    made = sites.create_secret_key(house.services, ada.caller, ada.site.id, "live")
    assert cleo.get(f"/dashboard/install?site={ada.site.id}").status_code == 404
    for path in (
        f"/dashboard/sites/{ada.site.id}/origins",
        f"/dashboard/sites/{ada.site.id}/origins/remove",
        f"/dashboard/sites/{ada.site.id}/keys",
        f"/dashboard/sites/{ada.site.id}/keys/{made.row.id}/revoke",
        f"/dashboard/sites/{cleo.site.id}/keys/{made.row.id}/revoke",
    ):
        cleo.get("/dashboard/")
        assert cleo.post(path, {"origin": "https://cleo.example"}).status_code == 404
    assert sites.secret_keys(house.services, ada.caller, ada.site.id)[0].id == made.row.id
