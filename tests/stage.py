"""Test harness of the server's processes: a real database, Redis and store, with people in them.

Merchants: Ada and Cleo, each with a site. Shoppers: Sam and Tom at Ada's, Zoe at Cleo's. Rows are
written directly; processes are started as in production.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import websocket
from sqlalchemy import delete

from gpu_worker.contract import (
    EVENTS,
    Category,
    Event,
    EventType,
    GarmentStatus,
    PhotoStatus,
    Subject,
    TryOnStatus,
)
from local.children import Child, free_port, spawn, stop, wait_until
from server import auth
from server.config import Settings
from server.infra import nudges
from server.infra.caller import Caller
from server.infra.store import garment_keys, photo_keys, picture_key
from server.models import Base, Garment, Merchant, Photo, Shopper, Site, TryOn, new_id, now
from tests import marks
from tests.apps import services_of
from tests.services import S3Settings
from tests.waiting import DEADLINE_S

ENGINE = "null"


@dataclass
class Stage:
    """The harness of one test, or of the tests of one file. `end` stops what it started.

    `ada`, `cleo`: merchants; `shop`, `other_shop`: their sites; `sam`, `tom`, `zoe`: shoppers.
    """

    redis_url: str
    database_url: str
    s3: S3Settings
    folder: Path
    children: list[Child] = field(default_factory=list)
    live_sockets: list[LiveSocket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port, self.internal_port = free_port(), free_port()
        self.url = f"http://localhost:{self.port}"
        self.env = {
            "PROTEUS_SECRET_KEY": secrets.token_hex(32),
            "PROTEUS_SERVER_URL": self.url,
            "PROTEUS_ENGINE": ENGINE,
            "PROTEUS_WEB_WORKERS": "1",
            "PORT": str(self.port),
            "PROTEUS_INTERNAL_PORT": str(self.internal_port),
            # All shoppers of a test call from one address.
            "PROTEUS_SHOPPER_LIMIT": "100000",
            "PROTEUS_ADDRESS_LIMIT": "100000",
            "PROTEUS_SITE_LIMIT": "100000",
            "PROTEUS_BOOT_LIMIT": "100000",
            "PROTEUS_UNFINISHED_TRY_ONS": "100000",
            "PROTEUS_SOCKETS_PER_SHOPPER": "1000",
            "PROTEUS_SOCKETS_PER_ADDRESS": "1000",
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            **self.s3.env(),
        }
        self.settings = Settings.from_env(self.env)
        self.services = services_of(self.settings)
        self.redis = self.services.redis
        self.store = self.s3.client()
        self.settle()

    def begin_anew(self) -> None:
        """Empties the database and makes new people, for the next test with the same processes."""
        with self.services.database.session_scope() as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(delete(table))
        for spent in self.redis.scan_iter("LIMITS:*"):
            self.redis.delete(spent)
        self.settle()

    def settle(self) -> None:
        """Writes merchants, sites and shoppers."""
        with self.services.database.session_scope() as session:
            self.ada, self.cleo = Merchant(name="Ada's"), Merchant(name="Cleo's")
            session.add_all([self.ada, self.cleo])
            session.flush()
            self.shop, self.other_shop = _site(self.ada), _site(self.cleo)
            session.add_all([self.shop, self.other_shop])
            session.flush()
            self.sam, self.tom = _shopper(self.shop), _shopper(self.shop)
            self.zoe = _shopper(self.other_shop)
            session.add_all([self.sam, self.tom, self.zoe])

    # --- rows -------------------------------------------------------------------------------------

    def add(self, *rows: Any) -> None:
        with self.services.database.session_scope() as session:
            session.add_all(rows)

    def photo(self, shopper: Shopper | None = None, **changes: Any) -> Photo:
        shopper, photo_id = shopper or self.sam, new_id("pho")
        keys = photo_keys(photo_id)
        told: dict[str, Any] = {
            "status": PhotoStatus.READY, "mode": shopper.mode, "consent_version": "1",
            "upload_key": f"uploads/{photo_id}", "content_type": "image/jpeg",
            "expires_at": now() + timedelta(days=1),
        }  # fmt: skip
        photo = Photo(
            id=photo_id, merchant_id=shopper.merchant_id, site_id=shopper.site_id,
            shopper_id=shopper.id, clean_key=keys.clean, parts_key=keys.parts,
            **{**told, **changes},
        )  # fmt: skip
        self.add(photo)
        return photo

    def garment(self, site: Site | None = None, **changes: Any) -> Garment:
        site, garment_id = site or self.shop, new_id("gar")
        keys = garment_keys(garment_id)
        told: dict[str, Any] = {
            "sku": garment_id[-8:], "title": "Linen shirt", "category": Category.UPPER,
            "status": GarmentStatus.READY, "upload_key": f"uploads/{garment_id}",
        }  # fmt: skip
        garment = Garment(
            id=garment_id, merchant_id=site.merchant_id, site_id=site.id, clean_key=keys.clean,
            parts_key=keys.parts, cutout_key=keys.cutout or "", **{**told, **changes},
        )  # fmt: skip
        self.add(garment)
        return garment

    def try_on(
        self,
        photo: Photo | None = None,
        garment: Garment | None = None,
        age_s: float = 0,
        **changes: Any,
    ) -> TryOn:
        photo, garment = photo or self.photo(), garment or self.garment()
        told: dict[str, Any] = {
            "mode": photo.mode, "engine": ENGINE, "status": TryOnStatus.QUEUED,
            "category": garment.category, "seed": 7, "expires_at": now() + timedelta(days=1),
            "created_at": now() - timedelta(seconds=age_s),
            "queued_at": now() - timedelta(seconds=age_s),
        }  # fmt: skip
        row = TryOn(
            id=new_id("try"), merchant_id=photo.merchant_id, site_id=photo.site_id,
            shopper_id=photo.shopper_id, photo_id=photo.id, garment_id=garment.id,
            **{**told, **changes},
        )  # fmt: skip
        self.add(row)
        return row

    def read(self, row: Any) -> Any:
        """The row as it is in the database now; None if it is gone."""
        with self.services.read() as session:
            return session.get(type(row), row.id)

    def change(self, row: Any, **values: Any) -> None:
        """Changes a row as the domain does, with a nudge."""
        with self.services.work() as work:
            fresh = work.session.get_one(type(row), row.id, with_for_update=True)
            for name, value in values.items():
                setattr(fresh, name, value)
            work.nudge(fresh)

    # --- the worker's side ------------------------------------------------------------------------

    def emit(self, row: Any, kind: EventType, **data: Any) -> None:
        self.redis.xadd(EVENTS, {"event": event(row, kind, **data).to_json()})

    def put(self, *keys: str) -> None:
        for key in keys:
            self.store.put_object(Bucket=self.s3.bucket, Key=key, Body=b"x")

    def objects(self) -> set[str]:
        found = self.store.list_objects_v2(Bucket=self.s3.bucket).get("Contents", [])
        return {entry["Key"] for entry in found}

    # --- processes --------------------------------------------------------------------------------

    def start(self, *argv: str, log: str, **changes: str) -> Child:
        marks.require("process")
        env = {**os.environ, **self.env, **changes}
        child = spawn([sys.executable, *argv], log=self.folder / log, env=env)
        self.children.append(child)
        return child

    def serve(self, **changes: str) -> Child:
        """Starts gunicorn with gevent workers and waits until it answers."""
        child = self.start(
            "-m", "gunicorn", "-c", "server/gunicorn.py", "server.wsgi:app",
            log="server.log", **changes,
        )  # fmt: skip
        if not wait_until(self.answers, within_s=60, child=child):
            raise AssertionError(self.log())
        self.server = child
        return child

    def answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200
        return False

    def steward(self, **changes: str) -> Child:
        name = f"steward-{len(self.children)}.log"
        return self.start("-m", "server.steward", log=name, **changes)

    def log(self, name: str = "server.log") -> str:
        return (self.folder / name).read_text()

    def end(self) -> None:
        for live_socket in self.live_sockets:
            live_socket.close()
        for child in self.children:
            stop(child, grace_s=1)
        self.services.close()

    # --- sockets ----------------------------------------------------------------------------------

    def caller(self, who: Shopper | Site | Merchant, mode: str = "live") -> Caller:
        if isinstance(who, Shopper):
            return Caller(
                kind="shopper", merchant_id=who.merchant_id, site_id=who.site_id,
                shopper_id=who.id, mode=who.mode,
            )  # fmt: skip
        if isinstance(who, Site):
            return Caller(kind="secret", merchant_id=who.merchant_id, site_id=who.id, mode=mode)
        return Caller(kind="user", merchant_id=who.id, role="owner")

    def ticket(self, who: Shopper | Site | Merchant, mode: str = "live") -> str:
        return auth.issue_live_ticket(self.services, self.caller(who, mode))

    def connect(self, **options: Any) -> LiveSocket:
        """Opens a live socket without `hello`; with the server's own Origin by default."""
        options = {"origin": self.url, "timeout": 10, **options}
        live_socket = LiveSocket(
            websocket.create_connection(f"ws://localhost:{self.port}/v1/live", **options)
        )
        self.live_sockets.append(live_socket)
        return live_socket

    def listen(
        self, who: Shopper | Site | Merchant, form: str = "json", **options: Any
    ) -> LiveSocket:
        """Opens a live socket and sends `hello` for this shopper, site or merchant."""
        live_socket = self.connect(**options)
        live_socket.hello(self.ticket(who), form)
        return live_socket


class LiveSocket:
    """A client of the live socket. `heard`: every message so far."""

    def __init__(self, ws: websocket.WebSocket):
        self.ws = ws
        self.heard: list[str] = []

    def hello(self, ticket: str, form: str = "json") -> None:
        self.ws.send(json.dumps({"type": "hello", "ticket": ticket, "format": form}))

    def next(self, within_s: float = DEADLINE_S) -> str:
        self.ws.settimeout(within_s)
        message = self.ws.recv()
        assert isinstance(message, str)
        self.heard.append(message)
        return message

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(message) for message in self.heard]

    def until(self, kind: str, row: Any = None, within_s: float = DEADLINE_S) -> dict[str, Any]:
        """Reads until an event of this type (about this row) comes; returns it."""
        deadline = time.monotonic() + within_s
        while True:
            said: dict[str, Any] = json.loads(self.next(max(0.01, deadline - time.monotonic())))
            if said["type"] == kind and (row is None or said["id"] == row.id):
                return said

    def read_to(self, *parts: str, within_s: float = DEADLINE_S) -> str:
        """Reads until each part has come in some frame; returns all that came, joined."""
        deadline, came = time.monotonic() + within_s, ""
        while not all(part in came for part in parts):
            came += self.next(max(0.01, deadline - time.monotonic()))
        return came

    def silence(self, for_s: float = 0.3) -> list[str]:
        """Reads until nothing has come for `for_s`; returns all that came."""
        came: list[str] = []
        with suppress(websocket.WebSocketTimeoutException):
            while True:
                came.append(self.next(for_s))
        return came

    def close_code(self, within_s: float = DEADLINE_S) -> int:
        """Reads until the server closes; returns its close code."""
        self.ws.settimeout(within_s)
        while True:
            # Not `recv`, which would answer a close frame: the server may be gone by then.
            frame = self.ws.recv_frame()  # type: ignore[no-untyped-call]
            if frame is not None and frame.opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(frame.data[:2], "big")

    def close(self) -> None:
        with suppress(OSError, websocket.WebSocketException):
            self.ws.close(timeout=0)
        self.ws.shutdown()  # type: ignore[no-untyped-call]

    def vanish(self) -> None:
        """Drops the connection without a close frame, as phones do."""
        self.ws.shutdown()  # type: ignore[no-untyped-call]


def _site(merchant: Merchant) -> Site:
    key = secrets.token_hex(12)
    return Site(
        merchant_id=merchant.id, name=merchant.name, live_key=f"pk_live_{key}",
        test_key=f"pk_test_{key}", allowed_origins=["https://shop.example"],
    )  # fmt: skip


def _shopper(site: Site) -> Shopper:
    return Shopper(
        merchant_id=site.merchant_id, site_id=site.id, mode="live",
        expires_at=now() + timedelta(days=1),
    )  # fmt: skip


def event(row: Any, kind: EventType, at: datetime | None = None, **data: Any) -> Event:
    """A worker's event about a row; data that is not given is typical for its type."""
    subject = {TryOn: Subject.TRY_ON, Photo: Subject.PHOTO, Garment: Subject.GARMENT}[type(row)]
    agreed: dict[EventType, dict[str, Any]] = {
        EventType.SUCCEEDED: {
            "width": 768, "height": 1024, "engine": ENGINE, "is_preview": False, "tier": "full",
            "seed": 7, "model_ms": 40,
        },
        EventType.READY: {"width": 600, "height": 800, "people": [[0, 0, 1, 1]], "hints": []},
        EventType.RUNNING: {"step": 1, "steps": 4},
        EventType.FAILED: {"code": "engine_failed", "retryable": True},
        EventType.REJECTED: {"reasons": ["nobody_found"], "people": []},
    }  # fmt: skip
    at_ms = round((at or now()).timestamp() * 1000)
    body: Any = {**agreed.get(kind, {}), **data}
    return Event(subject=subject, id=row.id, type=kind, at_ms=at_ms, data=body)


@contextmanager
def stage(redis_url: str, database_url: str, s3: S3Settings, folder: Path) -> Iterator[Stage]:
    made = Stage(redis_url, database_url, s3, folder)
    try:
        yield made
    finally:
        made.end()


def kill(child: Child) -> None:
    child.send_signal(signal.SIGKILL)
    child.wait()


__all__ = ["ENGINE", "LiveSocket", "Stage", "event", "kill", "nudges", "picture_key", "stage"]
