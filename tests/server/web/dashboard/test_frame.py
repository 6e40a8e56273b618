"""What holds for every page: a login, a CSRF token, a strict policy, plain words for problems."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markupsafe import escape

from gpu_worker.contract import GarmentStatus
from server.domain import sites
from server.models import Merchant, Site
from tests.server.web.dashboard.conftest import House, Person

PAGES = [
    "/dashboard/",
    "/dashboard/garments",
    "/dashboard/garments/add",
    "/dashboard/try-ons",
    "/dashboard/install",
]
CHANGES = [
    "/dashboard/logout",
    "/dashboard/garments",
    "/dashboard/garments/gar_1",
    "/dashboard/garments/gar_1/delete",
    "/dashboard/uploads",
    "/dashboard/live-tickets",
    "/dashboard/sites/sit_1/origins",
    "/dashboard/sites/sit_1/origins/remove",
    "/dashboard/sites/sit_1/keys",
    "/dashboard/sites/sit_1/keys/key_1/revoke",
]


@pytest.mark.parametrize("path", PAGES)
def test_page(ada: Person, path: str) -> None:
    answer = ada.get(path)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", answer.text)


def test_names_in_sentences_are_escaped(house: House, ada: Person) -> None:
    nasty = """<b>"Rye" & 100%(s)s</b>"""
    with house.services.work() as work:
        work.session.get_one(Merchant, ada.site.merchant_id).name = nasty
        work.session.get_one(Site, ada.site.id).name = nasty
    sites.create(house.services, ada.site.merchant_id, name="Second", allowed_origins=[])
    rejected = house.garment(title=nasty, sku=nasty, status=GarmentStatus.REJECTED)
    ready = house.garment(title=nasty)
    said = str(escape(nasty))
    for path, sentence in {
        "": said,
        "account": f"owner of {said}",
        f"install?site={ada.site.id}": f"button in your shop: {said}.",
        f"garments/add?replaces={rejected.id}": f"For “{said}”. It takes the place",
        f"garments/{rejected.id}": f"The garment <strong>{said}</strong>, its picture",
        f"garments/{ready.id}": f'alt="{said}, cut out"',
    }.items():
        page = ada.get(f"/dashboard/{path}").text
        assert sentence in page, path
        assert "<b>" not in page, path


@pytest.mark.parametrize("path", PAGES)
def test_page_without_login_leads_to_it(house: House, path: str) -> None:
    answer = house.person("ada").get(path)
    assert answer.status_code == 302
    assert answer.location.startswith("/dashboard/login?next=/dashboard/")


@pytest.mark.parametrize("path", CHANGES)
def test_change_without_login_is_refused(house: House, path: str) -> None:
    client = house.app.test_client()
    assert client.post(path).status_code == 303
    assert client.post(path, headers={"HX-Request": "true"}).status_code == 401
    assert client.post(path, json={}).status_code == 401


def test_change_without_csrf_token_is_refused(ada: Person) -> None:
    for path in CHANGES:
        assert ada.client.post(path).status_code == 400, path
        assert ada.client.post(path, data={"csrf_token": "forged"}).status_code == 400, path
        header = {"X-CSRFToken": "forged", "HX-Request": "true"}
        assert ada.client.post(path, headers=header).status_code == 400, path


def test_token_of_another_session_is_refused(ada: Person, cleo: Person) -> None:
    answer = ada.client.post("/dashboard/logout", data={"csrf_token": cleo.token})
    assert answer.status_code == 400


def test_unknown_address_is_a_page_of_ours(ada: Person) -> None:
    answer = ada.get("/dashboard/lookbooks")
    assert answer.status_code == 404
    assert "There is nothing here." in answer.text


def test_dead_database_is_a_page_of_ours(house: House, ada: Person) -> None:
    file = Path(house.services.settings.database_url.removeprefix("sqlite:///"))
    house.services.database.dispose()
    file.rename(file.with_suffix(".away"))
    file.mkdir()
    answer = ada.client.get("/dashboard/garments")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "A part of Proteus is away." in answer.text
