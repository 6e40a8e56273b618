"""Lost sockets, sleeping phones, killed servers: the shopper gets her picture all the same.

All processes are real: gunicorn, the steward, a null worker, Redis, the store.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import websocket

from gpu_worker.contract import EVENTS, STEWARD, worker_key
from server import auth
from server.local.children import Child
from server.models import Shopper
from tests.proxy import Proxy, proxy
from tests.services import S3Settings
from tests.stage import ENGINE, Ear, Stage, kill, stage, wait_for
from tests.workshop import jpeg

pytestmark = pytest.mark.faults

SLOW = "200,50,4"  # a second for a picture


class Road:
    """The whole service, and people who ask it for pictures over HTTP."""

    def __init__(self, house: Stage):
        self.house = house
        self.photo, self.garment = house.photo(), house.garment()
        self._store()

    def _store(self) -> None:
        client, bucket = self.house.store, self.house.s3.bucket
        parts = io.BytesIO()
        np.savez(parts, none=np.zeros(1))
        for key in (self.photo.clean_key, self.garment.clean_key):
            client.put_object(Bucket=bucket, Key=key, Body=jpeg())
        for key in (self.photo.parts_key, self.garment.parts_key):
            client.put_object(Bucket=bucket, Key=key, Body=parts.getvalue())

    def work(self, curve: str = SLOW) -> Child:
        child = self.house.start(
            "-m", "gpu_worker", "work", ENGINE, log="worker.log",
            PROTEUS_NULL_CURVE=curve, PROTEUS_LEASE_S="3", PROTEUS_MAINTENANCE_S="1",
        )  # fmt: skip
        wait_for(lambda: self.house.redis.keys(worker_key("*")), 20)
        return child

    def order(self, shopper: Shopper | None = None) -> str:
        """Accepted over HTTP; its id."""
        shopper = shopper or self.house.sam
        token = auth.issue_shopper_token(self.house.services, shopper).token
        answer = httpx.post(
            f"{self.house.url}/v1/try-ons",
            json={"photo_id": self.photo.id, "garment_id": self.garment.id},
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": str(time.time_ns())},
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])


@pytest.fixture
def house(redis_url: str, sqlite_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Stage]:
    with stage(redis_url, sqlite_url, store, tmp_path) as made:
        yield made


@pytest.fixture
def road(house: Stage) -> Road:
    """Server and steward run; each test starts its worker."""
    house.steward()
    house.serve()
    wait_for(lambda: house.redis.exists(STEWARD), 10)
    return Road(house)


def result(ear: Ear, try_on_id: str, within_s: float = 20) -> dict[str, Any]:
    until = time.monotonic() + within_s
    while True:
        said = ear.until("succeeded", within_s=max(0.01, until - time.monotonic()))
        if said["id"] == try_on_id:
            return said


def times_succeeded(ear: Ear, try_on_id: str) -> int:
    return sum(said["id"] == try_on_id and said["type"] == "succeeded" for said in ear.events())


def test_the_road_without_a_fault(road: Road) -> None:
    road.work("5,5,4")
    ear = road.house.listen(road.house.sam)
    try_on_id = road.order()
    done = result(ear, try_on_id)
    assert (done["width"], done["height"]) == (96, 128)
    assert httpx.get(done["result_url"]).status_code == 200
    assert {said["type"] for said in ear.events() if said["id"] == try_on_id} >= {
        "running", "succeeded",
    }  # fmt: skip


def test_the_socket_is_cut_while_the_job_runs(road: Road) -> None:
    road.work()
    ear = road.house.listen(road.house.sam)
    try_on_id = road.order()
    ear.until("running")
    ear.vanish()
    again = road.house.listen(road.house.sam)
    result(again, try_on_id)
    again.silence(0.5)
    assert times_succeeded(again, try_on_id) == 1


def test_the_result_arrives_while_no_socket_is_open(road: Road) -> None:
    road.work("5,5,2")
    ear = road.house.listen(road.house.sam)
    ear.silence(0.2)
    ear.vanish()
    try_on_id = road.order()
    wait_for(lambda: road.house.redis.exists(EVENTS), 10)
    time.sleep(1.5)
    again = road.house.listen(road.house.sam)
    said = again.until("succeeded")
    assert said["id"] == try_on_id


def test_the_server_is_killed_between_enqueue_and_result(road: Road) -> None:
    house = road.house
    ear = house.listen(house.sam)
    try_on_id = road.order()
    ear.until("queued")
    kill(house.children[-1])  # the server
    with pytest.raises((OSError, websocket.WebSocketException)):
        ear.until("the end of the connection")
    road.work()
    wait_for(lambda: not house.answers(), 10)
    house.serve()
    result(house.listen(house.sam), try_on_id)


def test_the_server_dies_between_commit_and_enqueue(house: Stage) -> None:
    """The row is there and no job: the steward puts it in line."""
    house.steward()
    dying = (
        "import sys\n"
        "from server.jobs import Jobs\n"
        "import os, signal\n"
        "Jobs.enqueue = lambda *a, **k: os.killpg(os.getpgrp(), signal.SIGKILL)\n"
        "from gunicorn.app.wsgiapp import run\n"
        "sys.argv = ['gunicorn', '-c', 'server/gunicorn.py', 'server.wsgi:app']\n"
        "run()\n"
    )
    house.start("-c", dying, log="dying.log")
    wait_for(house.answers, 20)
    road = Road(house)
    with pytest.raises(httpx.HTTPError):
        road.order()
    wait_for(lambda: not house.answers(), 10)
    house.serve()
    road.work("5,5,2")
    said = house.listen(house.sam).until("succeeded", within_s=25)
    assert said["result_url"]


def test_redis_is_away_for_a_moment_under_sixty_open_sockets(
    redis_url: str, sqlite_url: str, store: S3Settings, tmp_path: Path
) -> None:
    parts = urlsplit(redis_url)
    with (
        stage(redis_url, sqlite_url, store, tmp_path) as house,
        proxy(str(parts.hostname), int(parts.port or 0)) as way,
    ):
        house.serve(REDIS_URL=f"redis://127.0.0.1:{way.port}/0")
        row = house.try_on()
        ears = [house.listen(house.sam) for _ in range(60)]
        for ear in ears:
            ear.until("queued", row)
        way.cut()
        house.change(row, eta_s=3.0)  # nobody hears this nudge
        time.sleep(1.5)
        assert house.answers()
        way.restore()
        recovered = 0
        for ear in ears:
            assert ear.until("queued", row)["eta_s"] == 3.0
            recovered += 1
        assert recovered == 60
        house.change(row, eta_s=2.0)  # and nudges pass again
        for ear in ears:
            assert ear.until("queued", row)["eta_s"] == 2.0


def test_redis_falls_silent_and_nobody_says_goodbye(
    redis_url: str, sqlite_url: str, store: S3Settings, tmp_path: Path
) -> None:
    """A host that is lost sends no end of the connection: the listener must notice by itself."""
    parts = urlsplit(redis_url)
    with (
        stage(redis_url, sqlite_url, store, tmp_path) as house,
        proxy(str(parts.hostname), int(parts.port or 0)) as way,
    ):
        house.serve(REDIS_URL=f"redis://127.0.0.1:{way.port}/0")
        row = house.try_on()
        ear = house.listen(house.sam)
        ear.until("queued", row)
        for eta in (9.0, 8.0):  # nudges pass, and the present state was told
            house.change(row, eta_s=eta)
            assert ear.until("queued", row)["eta_s"] == eta
        way.lose()
        house.change(row, eta_s=3.0)
        assert ear.until("queued", row, within_s=12)["eta_s"] == 3.0


def test_everything_in_redis_is_lost(road: Road) -> None:
    ids = [road.order() for _ in range(8)]
    road.house.redis.flushall()
    road.work("5,5,2")
    ear = road.house.listen(road.house.sam)
    done: set[str] = set()
    deadline = time.monotonic() + 30
    while done != set(ids):
        done.add(ear.until("succeeded", within_s=deadline - time.monotonic())["id"])
    assert sorted(done) == sorted(ids)


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_a_phone_sleeps_for_a_minute(
    redis_url: str, sqlite_url: str, store: S3Settings, tmp_path: Path
) -> None:
    """Its connection stays open and says nothing. The server lets go of it after two unanswered
    pings, so that its slot (here the only one) is free when it wakes and connects anew."""
    with stage(redis_url, sqlite_url, store, tmp_path) as house:
        house.steward()
        house.serve(PROTEUS_MAX_SOCKETS="1")
        road = Road(house)
        with proxy("localhost", house.port) as way:
            asleep = _through(house, way)
            try_on_id = road.order()
            asleep.until("queued")
            way.fall_silent()
            began = time.monotonic()
            road.work()
            assert _second(house) == 4429
            time.sleep(max(0.0, began + 60 - time.monotonic()))
            way.wake()
            result(_through(house, way), try_on_id)


def _through(house: Stage, way: Proxy) -> Ear:
    ear = Ear(
        websocket.create_connection(
            f"ws://127.0.0.1:{way.port}/v1/live", origin=house.url, timeout=10
        )
    )
    house.ears.append(ear)
    ear.hello(house.ticket(house.sam))
    return ear


def _second(house: Stage) -> int:
    return house.connect().close_code()
