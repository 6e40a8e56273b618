"""The steward as a process: started, starved, killed, doubled."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gpu_worker.contract import EVENTS, STEWARD, STEWARDS, EventType, TryOnStatus
from server.models import DoomedObject, TryOn
from tests.proxy import Proxy, proxy
from tests.services import S3Settings
from tests.stage import Stage, kill, picture_key, stage
from tests.waiting import wait_for

pytestmark = pytest.mark.process


@pytest.fixture
def house(redis_url: str, sqlite_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Stage]:
    with stage(redis_url, sqlite_url, store, tmp_path) as made:
        yield made


def lives(house: Stage) -> bool:
    return bool(house.redis.exists(STEWARD))


def is_settled(house: Stage, *rows: TryOn) -> bool:
    return all(house.read(row).status.is_final for row in rows)


def nothing_is_owed(house: Stage) -> bool:
    group = house.redis.xinfo_groups(EVENTS)[0]
    newest = house.redis.xinfo_stream(EVENTS)["last-generated-id"]
    return bool(group["pending"] == 0 and group["last-delivered-id"] == newest)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told(house: Stage, stop: signal.Signals) -> None:
    steward = house.steward()
    wait_for(lambda: lives(house))
    steward.send_signal(stop)
    assert steward.wait(60) == 0


def test_it_ends_while_the_store_hangs(house: Stage) -> None:
    parts = urlsplit(house.s3.endpoint_url)
    with proxy(str(parts.hostname), int(parts.port or 0)) as way:
        steward = house.steward(S3_ENDPOINT_URL=f"http://127.0.0.1:{way.port}")
        wait_for(lambda: lives(house))
        way.fall_silent()
        house.add(DoomedObject(key="pictures/x.jpg"))
        time.sleep(1.5)  # it is waiting for the store now
        steward.send_signal(signal.SIGTERM)
        assert steward.wait(4) == 0  # before the store's client gives up, twice 3 s


def test_wrong_settings_end_it_with_a_line_each(house: Stage) -> None:
    env = {**house.env, "PROTEUS_SECRET_KEY": "short", "REDIS_URL": "http://x"}
    argv = [sys.executable, "-m", "server.steward"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [
        "PROTEUS_SECRET_KEY", "REDIS_URL",
    ]  # fmt: skip


def test_killed_between_commit_and_acknowledgement(house: Stage) -> None:
    """What it read is read again, and changes nothing."""
    rows = [house.try_on() for _ in range(5)]
    for row in rows:
        house.emit(row, EventType.SUCCEEDED)
    dying = (
        "import os, signal\n"
        "from server.steward import __main__, inbox\n"
        "inbox.Inbox.acknowledge = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "__main__.main()\n"
    )
    assert house.start("-c", dying, log="dying.log").wait(60) == -signal.SIGKILL
    assert {house.read(row).version for row in rows} == {2}
    assert house.redis.xpending(EVENTS, STEWARDS)["pending"] == 5
    house.put(*(picture_key(row.id) for row in rows))

    house.steward()
    wait_for(lambda: nothing_is_owed(house))
    assert {(house.read(row).version, house.read(row).status) for row in rows} == {
        (2, TryOnStatus.SUCCEEDED)
    }
    assert house.objects() == {picture_key(row.id) for row in rows}


@pytest.mark.slow
def test_killed_again_and_again_under_load(house: Stage) -> None:
    rows = [house.try_on() for _ in range(60)]
    steward = house.steward()
    for number, row in enumerate(rows):
        for step in range(3):
            house.emit(row, EventType.RUNNING, step=step, steps=3)
        house.emit(row, EventType.SUCCEEDED)
        if number % 20 == 10:
            wait_for(lambda: house.redis.xinfo_stream(EVENTS)["length"] > 10)
            kill(steward)
            steward = house.steward()
    wait_for(lambda: is_settled(house, *rows) and nothing_is_owed(house))
    assert all(2 <= house.read(row).version <= 6 for row in rows)


def test_two_at_once_do_no_harm(house: Stage) -> None:
    house.steward()
    house.steward()
    rows = [house.try_on() for _ in range(40)]
    for row in rows:
        house.emit(row, EventType.SUCCEEDED)
        house.emit(row, EventType.SUCCEEDED)
    wait_for(lambda: is_settled(house, *rows) and nothing_is_owed(house))
    assert {house.read(row).version for row in rows} == {2}


# --- dependencies that go away -------------------------------------------------------------------


@pytest.fixture
def way_to_redis(redis_url: str) -> Iterator[Proxy]:
    parts = urlsplit(redis_url)
    with proxy(str(parts.hostname), int(parts.port or 0)) as way:
        yield way


@pytest.mark.parametrize("how", ["cut", "fall_silent"])
def test_redis_goes_away_and_comes_back(house: Stage, way_to_redis: Proxy, how: str) -> None:
    steward = house.steward(REDIS_URL=f"redis://127.0.0.1:{way_to_redis.port}/0")
    wait_for(lambda: lives(house))
    getattr(way_to_redis, how)()
    row = house.try_on()
    house.emit(row, EventType.SUCCEEDED)
    time.sleep(2.5)
    assert steward.poll() is None
    assert not house.read(row).status.is_final
    way_to_redis.restore()
    way_to_redis.wake()
    wait_for(lambda: is_settled(house, row))


@pytest.mark.postgres
@pytest.mark.parametrize("how", ["cut", "fall_silent"])
def test_the_database_goes_away_and_comes_back(
    redis_url: str, postgres_url: str, store: S3Settings, tmp_path: Path, how: str
) -> None:
    parts = urlsplit(postgres_url)
    with (
        stage(redis_url, postgres_url, store, tmp_path) as house,
        proxy(str(parts.hostname), int(parts.port or 0)) as way,
    ):
        around = postgres_url.replace(f":{parts.port}", f":{way.port}")
        steward = house.steward(DATABASE_URL=around)
        wait_for(lambda: lives(house))
        getattr(way, how)()
        row = house.try_on()
        house.emit(row, EventType.SUCCEEDED)
        time.sleep(2.5)
        assert steward.poll() is None
        way.restore()
        way.wake()
        wait_for(lambda: is_settled(house, row) and nothing_is_owed(house))


def test_the_store_goes_away_and_comes_back(house: Stage) -> None:
    parts = urlsplit(house.s3.endpoint_url)
    with proxy(str(parts.hostname), int(parts.port or 0)) as way:
        house.steward(S3_ENDPOINT_URL=f"http://127.0.0.1:{way.port}")
        wait_for(lambda: lives(house))
        way.cut()
        house.put("pictures/x.jpg")
        house.add(DoomedObject(key="pictures/x.jpg"))
        row = house.try_on()
        house.emit(row, EventType.SUCCEEDED)
        wait_for(lambda: is_settled(house, row))  # settling goes on meanwhile
        assert house.objects() == {"pictures/x.jpg"}
        way.restore()
        wait_for(lambda: house.objects() == set())
