"""Test harness of the server in this process: an app on real services, and clients that call it.

Ada is a merchant's owner, Ben her staff, Sam and Kim shoppers on her site; Cleo owns another
merchant. Neither Cleo nor Kim may see anything of Sam's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import Any, TypeVar

import httpx
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gpu_worker.contract import Category, GarmentStatus, PhotoStatus, TryOnStatus
from server import auth
from server.config import Settings
from server.infra.caller import Caller
from server.infra.services import Services
from server.infra.store import garment_keys, photo_keys, picture_key
from server.models import Garment, Photo, Shopper, Site, TryOn, User, new_id, now
from tests.apps import app_over, services_of, store_of
from tests.server import people
from tests.server.people import People
from tests.services import S3Settings

T = TypeVar("T")
SERVER = "http://localhost:8080"
JPEG = b"\xff\xd8\xff\xe0 not a whole picture, but the server never looks \xff\xd9"


def settings(redis_url: str, database_url: str, store: S3Settings, **more: Any) -> Settings:
    known: dict[str, Any] = {
        "secret_key": "tests only tests only tests only",
        "server_url": SERVER,
        "redis_url": redis_url,
        "database_url": database_url,
        "s3_endpoint_url": store.endpoint_url,
        "s3_bucket": store.bucket,
        "aws_access_key_id": store.access_key_id,
        "aws_secret_access_key": store.secret_access_key,
        "aws_default_region": store.region,
        "rate_limit": 100_000,
        "shopper_limit": 100_000,
        "address_limit": 100_000,
        "site_limit": 100_000,
        "boot_limit": 100_000,
    }
    return Settings(**(known | more))


class Actor:
    """An HTTP client with its own cookies. `bearer`: its secret key or shopper token; `caller`: set
    for a secret key."""

    def __init__(self, app: APIFlask, bearer: str | None = None, caller: Caller | None = None):
        self.client: FlaskClient = app.test_client()
        self.bearer = bearer
        self.caller = caller

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.bearer:
            sent.setdefault("Authorization", f"Bearer {self.bearer}")
        return self.client.open(path, method=method, json=body, headers=sent, base_url=SERVER)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.call("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> TestResponse:
        return self.call("DELETE", path, **headers)

    def announce(
        self, purpose: str = "photo", content: bytes = JPEG, content_type: str = "image/jpeg"
    ) -> Any:
        body = {"purpose": purpose, "content_type": content_type, "size_bytes": len(content)}
        answer = self.post("/v1/uploads", body)
        assert answer.status_code == 201, answer.text
        return answer.json

    def upload(
        self, purpose: str = "photo", content: bytes = JPEG, content_type: str = "image/jpeg"
    ) -> str:
        """Announces a file and PUTs it to the real store; returns its key."""
        announced = self.announce(purpose, content, content_type)
        put = httpx.put(announced["url"], content=content, headers=announced["headers"])
        assert put.status_code == 200, put.text
        return str(announced["key"])


@dataclass
class World:
    """An app, its services, and two merchants with a site each."""

    app: APIFlask
    services: Services
    people: People

    def __post_init__(self) -> None:
        known = self.people
        self.site: Site = self.fetch(Site, known.site_id)
        self.other_site: Site = self.fetch(Site, known.other_site_id)
        self.ada = self._keyed(self.site, known.ada_key)
        self.cleo = self._keyed(self.other_site, known.cleo_key)
        self.sam, self.kim = self._with_token(known.sam_id), self._with_token(known.kim_id)

    def user(self, email: str) -> Caller:
        """The `Caller` of a dashboard user: Ada, Ben or Cleo."""
        with self.services.read() as session:
            user = session.query(User).filter_by(email=email).one()
        return Caller.of_user(user)

    def anybody(self) -> Actor:
        return Actor(self.app)

    def backend(self, site: Site, mode: Any = "live") -> Actor:
        """A client with a new secret key of the site."""
        return self._keyed(site, people.secret_key(self.services, site, mode), mode)

    def _keyed(self, site: Site, key: str, mode: Any = "live") -> Actor:
        caller = Caller(kind="secret", merchant_id=site.merchant_id, site_id=site.id, mode=mode)
        return Actor(self.app, key, caller)

    def shopper(self, site: Site, mode: str = "live") -> Actor:
        """A new shopper of the site, with a token."""
        return self._with_token(people.shopper_id(self.services, site, mode))

    def _with_token(self, shopper_id: str) -> Actor:
        """A client with a shopper token that is signed here, without HTTP."""
        shopper = self.fetch(Shopper, shopper_id)
        return Actor(self.app, auth.issue_shopper_token(self.services, shopper).token)

    def visitor(self, site: Site, key: str | None = None) -> Actor:
        """A new shopper by HTTP: a boot token for the shop's page, traded for a shopper token."""
        actor, boot = Actor(self.app), {"boot_token": self.boot(site, key)}
        answer = actor.post("/v1/shopper-tokens", boot, Origin=SERVER)
        assert answer.status_code == 200, answer.text
        body: Any = answer.json
        actor.bearer = body["shopper_token"]
        return actor

    def boot(self, site: Site, key: str | None = None) -> str:
        path = f"/v1/sites/{key or site.live_key}/boot"
        answer = self.anybody().post(path, {}, Origin=site.allowed_origins[0])
        assert answer.status_code == 200, answer.text
        body: Any = answer.json
        return str(body["boot_token"])

    # --- rows, written without HTTP ---------------------------------------------------------------

    def add(self, row: Any) -> Any:
        with self.services.database.session_scope() as session:
            session.add(row)
        return row

    def shopper_id(self, actor: Actor) -> str:
        from server.auth import shopper_caller

        with self.app.app_context():
            return str(shopper_caller(self.services, actor.bearer or "").shopper_id)

    def photo(self, actor: Actor, **changes: Any) -> Photo:
        """A photo of this shopper or backend; ready by default."""
        photo_id = new_id("pho")
        keys = photo_keys(photo_id)
        site = self.other_site if actor is self.cleo else self.site
        told: dict[str, Any] = {
            "id": photo_id, "merchant_id": site.merchant_id, "site_id": site.id,
            "shopper_id": None if actor.caller else self.shopper_id(actor),
            "mode": "live", "status": PhotoStatus.READY, "consent_version": "1",
            "upload_key": f"uploads/{site.id}/{photo_id}", "content_type": "image/jpeg",
            "clean_key": keys.clean, "parts_key": keys.parts,
            "expires_at": now() + timedelta(days=1),
        }  # fmt: skip
        photo: Photo = self.add(Photo(**(told | changes)))
        return photo

    def garment(self, site: Site | None = None, **changes: Any) -> Garment:
        site = site or self.site
        garment_id = new_id("gar")
        keys = garment_keys(garment_id)
        told: dict[str, Any] = {
            "id": garment_id, "merchant_id": site.merchant_id, "site_id": site.id,
            "sku": f"SKU-{garment_id[-6:]}", "title": "Tee", "category": Category.UPPER,
            "status": GarmentStatus.READY, "clean_key": keys.clean, "parts_key": keys.parts,
            "cutout_key": keys.cutout,
        }  # fmt: skip
        garment: Garment = self.add(Garment(**(told | changes)))
        return garment

    def try_on(self, photo: Photo, garment: Garment, **changes: Any) -> TryOn:
        try_on_id = new_id("try")
        told: dict[str, Any] = {
            "id": try_on_id, "merchant_id": photo.merchant_id, "site_id": photo.site_id,
            "shopper_id": photo.shopper_id, "photo_id": photo.id, "garment_id": garment.id,
            "mode": photo.mode, "engine": "preview", "category": garment.category, "seed": 7,
            "expires_at": photo.expires_at,
        }  # fmt: skip
        row: TryOn = self.add(TryOn(**(told | changes)))
        return row

    def finished(self, photo: Photo, garment: Garment, **changes: Any) -> TryOn:
        row = self.try_on(
            photo, garment, status=TryOnStatus.SUCCEEDED, width=768, height=1024, tier="full",
            is_preview=True, queue_ms=10, model_ms=500, total_ms=530, **changes,
        )  # fmt: skip
        with self.services.database.session_scope() as session:
            session.add(row)
            row.result_key = picture_key(row.id)
        return row

    def use_engine(self, engine: str) -> None:
        """Sets the engine of live keys from now on."""
        settings = self.services.settings.model_copy(update={"engine": engine})
        object.__setattr__(self.services, "settings", settings)

    def lose_redis(self) -> None:
        """Makes Redis unreachable from now on."""
        pool = self.services.redis.connection_pool
        pool.disconnect()
        pool.reset()
        pool.connection_kwargs["port"] = 1

    def lose_store(self) -> None:
        """Makes the store unreachable from now on."""
        lost = self.services.settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:1"})
        self.services.store._client = store_of(lost)._client

    def fetch(self, model: Any, row_id: str) -> Any:
        with self.services.read() as session:
            return session.get(model, row_id)

    def shopper_row(self, actor: Actor) -> Shopper | None:
        row: Shopper | None = self.fetch(Shopper, self.shopper_id(actor))
        return row


def world_of(configured: Settings, people: People) -> World:
    services = services_of(configured)
    return World(app_over(services), services, people)


def settled(database_url: str, settle: Callable[[Services], T]) -> T:
    """Fills a template database by `settle`, with services that need no Redis and no store."""
    nowhere = S3Settings("http://unused", "unused", "id", "secret")
    services = services_of(settings("redis://unused", database_url, nowhere))
    told = settle(services)
    services.close()
    return told


def after(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, happens: Callable[[], object]
) -> None:
    """Simulates a race: calls `happens` once, right after `module.name` returned."""
    act = getattr(module, name)

    def acted(*args: Any, **named: Any) -> Any:
        monkeypatch.setattr(module, name, act)
        answer = act(*args, **named)
        happens()
        return answer

    monkeypatch.setattr(module, name, acted)


def code(answer: TestResponse) -> tuple[int, str]:
    """Status and code of a refusal, after checking that it is a complete problem answer."""
    assert answer.mimetype == "application/problem+json", answer.text
    body: Any = answer.json
    assert set(body) == {"type", "title", "status", "code", "detail", "param", "request_id"}
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return answer.status_code, str(body["code"])
