"""One dashboard with its people: Ada owns, Ben is her staff, Cleo is another merchant.

Real Redis, a real store and a real database; the pages are read as a browser would get them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gpu_worker.contract import Category, GarmentStatus, TryOnStatus
from server import models
from server.config import Settings
from server.domain import sites
from server.infra.caller import Caller
from server.infra.services import Services
from server.infra.store import garment_keys, photo_keys, picture_key
from server.models import Garment, Photo, Site, TryOn, new_id
from tests import databases
from tests.apps import app_over, services_of
from tests.server.actors import settled
from tests.services import S3Settings

SiteIds = dict[str, str]  # by a person's name

PEOPLE: dict[str, dict[str, Any]] = {
    "Linden & Rye": {"ada": "owner", "ben": "staff"},
    "Cleo's": {"cleo": "owner"},
}
PASSWORD = "a long enough password"
SECRET = "0123456789abcdef0123456789abcdef"


@dataclass
class Person:
    """Somebody at a browser. Forms carry the CSRF token of the page she saw last."""

    client: FlaskClient
    email: str
    caller: Caller
    site: Site
    page: str = ""

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        answer = self.client.get(path, **kwargs)
        if answer.mimetype == "text/html":
            self.page = answer.text
        return answer

    def post(self, path: str, data: dict[str, str] | None = None, **kwargs: Any) -> TestResponse:
        answer = self.client.post(path, data={"csrf_token": self.token} | (data or {}), **kwargs)
        self.page = answer.text or self.page
        return answer

    @property
    def token(self) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.page)
        return unescape(found[1]) if found else ""

    def log_in(self, password: str = PASSWORD, query: str = "") -> TestResponse:
        self.get(f"/dashboard/login{query}")
        answer = self.post(f"/dashboard/login{query}", {"email": self.email, "password": password})
        if answer.status_code == 303:
            self.get("/dashboard/")
        return answer


@dataclass
class House:
    """The app with two merchants and what they own."""

    app: Any
    services: Services
    sites: dict[str, Site]

    def person(self, name: str) -> Person:
        site = self.sites[name]
        role = "staff" if name == "ben" else "owner"
        caller = Caller(kind="user", merchant_id=site.merchant_id, role=role)
        return Person(self.app.test_client(), f"{name}@example.com", caller, site)

    def add(self, row: Any) -> Any:
        with self.services.work() as work:
            work.session.add(row)
        return row

    def garment(self, name: str = "ada", **changes: Any) -> Garment:
        garment_id = new_id("gar")
        keys = garment_keys(garment_id)
        values: dict[str, Any] = {
            "sku": f"sku-{garment_id[-6:]}",
            "title": "Sunset tee",
            "category": Category.UPPER,
            "status": GarmentStatus.READY,
        }
        site = self.sites[name]
        made = Garment(
            id=garment_id,
            merchant_id=site.merchant_id,
            site_id=site.id,
            clean_key=keys.clean,
            parts_key=keys.parts,
            cutout_key=keys.cutout,
            **(values | changes),
        )
        return self.add(made)  # type: ignore[no-any-return]

    def try_on(self, name: str = "ada", garment: Garment | None = None, **changes: Any) -> TryOn:
        try_on_id, site = new_id("try"), self.sites[name]
        values: dict[str, Any] = {
            "status": TryOnStatus.QUEUED,
            "mode": "live",
            "result_key": picture_key(try_on_id),
        }
        made = TryOn(
            id=try_on_id,
            merchant_id=site.merchant_id,
            site_id=site.id,
            garment_id=garment.id if garment else None,
            engine="preview",
            category=Category.UPPER,
            seed=1,
            expires_at=_tomorrow(),
            **(values | changes),
        )
        return self.add(made)  # type: ignore[no-any-return]

    def photo(self, name: str = "ada") -> Photo:
        photo_id, site = new_id("pho"), self.sites[name]
        keys = photo_keys(photo_id)
        made = Photo(
            id=photo_id,
            merchant_id=site.merchant_id,
            site_id=site.id,
            consent_version="1",
            upload_key=f"uploads/{site.id}/x",
            content_type="image/jpeg",
            clean_key=keys.clean,
            parts_key=keys.parts,
            expires_at=_tomorrow(),
        )
        return self.add(made)  # type: ignore[no-any-return]


def settle(services: Services) -> SiteIds:
    """Who is there before a test begins."""
    ids: SiteIds = {}
    for name, people in PEOPLE.items():
        merchant = sites.create_merchant(services, name)
        origins = ["https://shop.example"]
        site = sites.create(services, merchant.id, name=name, allowed_origins=origins)
        for person, role in people.items():
            email = f"{person}@example.com"
            sites.create_user(services, merchant.id, email=email, password=PASSWORD, role=role)
            ids[person] = site.id
    return ids


def _tomorrow() -> datetime:
    return models.now() + timedelta(hours=24)


def settings(redis_url: str, database_url: str, store: S3Settings, **changes: str) -> Settings:
    env = {
        "PROTEUS_SECRET_KEY": SECRET,
        "PROTEUS_SERVER_URL": "http://localhost:8080",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        **store.env(),
    }
    return Settings.from_env(env | changes)


@pytest.fixture(scope="session")
def dashboard_people(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, SiteIds]:
    """A database file that holds them."""
    path = tmp_path_factory.mktemp("dashboard") / "people.db"
    return path, settled(databases.copied(sqlite_template, path), settle)


@pytest.fixture
def make_house(
    dashboard_people: tuple[Path, SiteIds], redis_url: str, store: S3Settings, tmp_path: Path
) -> Iterator[Callable[..., House]]:
    template, site_ids = dashboard_people
    url = databases.copied(template, tmp_path / "dashboard.db")
    with ExitStack() as closing:

        def make(**changes: str) -> House:
            services = services_of(settings(redis_url, url, store, **changes))
            closing.callback(services.close)
            with services.read() as session:
                found = {name: session.get_one(Site, id_) for name, id_ in site_ids.items()}
            return House(app_over(services), services, found)

        yield make


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()


@pytest.fixture
def https_house(make_house: Callable[..., House]) -> House:
    """The same behind https, as everywhere but on one's own machine."""
    return make_house(PROTEUS_SERVER_URL="https://proteus.example")


@pytest.fixture
def ada(house: House) -> Person:
    ada = house.person("ada")
    assert ada.log_in().status_code == 303
    return ada


@pytest.fixture
def ben(house: House) -> Person:
    ben = house.person("ben")
    assert ben.log_in().status_code == 303
    return ben


@pytest.fixture
def cleo(house: House) -> Person:
    cleo = house.person("cleo")
    assert cleo.log_in().status_code == 303
    return cleo
