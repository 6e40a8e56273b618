"""The live socket as clients meet it: gunicorn with gevent workers, real Redis and rows."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket
from redis import Redis

from gpu_worker.contract import GarmentStatus, PhotoStatus, TryOnStatus
from server import auth
from server.domain import dashboard_sessions, photos, try_ons
from server.models import User, now
from tests.services import S3Settings
from tests.stage import Stage, stage
from tests.waiting import wait_for

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def house(quiet_house: Stage) -> Stage:
    """One server for all tests of this file; each test brings its own rows."""
    quiet_house.serve(PROTEUS_MAX_SOCKETS="40")
    return quiet_house


@pytest.fixture(autouse=True)
def close_ears(house: Stage) -> Iterator[None]:
    yield
    while house.live_sockets:
        house.live_sockets.pop().close()


def test_sam_sees_her_picture_come(house: Stage) -> None:
    row = house.try_on(position=2, ready_at=now() + timedelta(seconds=9))
    live_socket = house.listen(house.sam)

    queued = live_socket.until("queued", row)
    assert queued["position"] == 2
    assert 0 < queued["eta_s"] <= 9
    house.change(row, status=TryOnStatus.RUNNING, step=1, steps=4)
    running = live_socket.until("running", row)
    assert (running["step"], running["steps"]) == (1, 4)
    house.change(row, partial_key=f"pictures/{row.id}-partial.jpg")
    assert live_socket.until("partial", row)["url"].startswith("http")
    house.change(row, status=TryOnStatus.SUCCEEDED, result_key=f"pictures/{row.id}.jpg")
    done = live_socket.until("succeeded", row)
    assert done["result_url"].startswith("http")
    assert done["version"] > running["version"] > queued["version"]


def test_a_failure_says_what_and_whether_to_try_again(house: Stage) -> None:
    row = house.try_on()
    live_socket = house.listen(house.sam)
    live_socket.until("queued", row)
    house.change(row, status=TryOnStatus.FAILED, error_code="engine_failed", retryable=True)
    failed = live_socket.until("failed", row)
    assert (failed["code"], failed["retryable"]) == ("engine_failed", True)
    assert failed["detail"]


def test_the_widget_hears_html(house: Stage) -> None:
    photo = house.photo(status=PhotoStatus.CHECKING)
    row = house.try_on(house.photo())
    live_socket = house.listen(house.sam, "html")
    live_socket.read_to(f'id="card-{photo.id}"', f'id="progress-{row.id}"')
    house.change(row, status=TryOnStatus.SUCCEEDED, result_key="k", width=3, height=4)
    done = live_socket.read_to(f'id="card-{row.id}"')
    assert 'hx-swap-oob="true"' in done
    assert 'data-version="2"' in done


def test_after_a_reconnect_the_present_state_comes_with_one_history(house: Stage) -> None:
    shopper = house.tom
    rows = [
        house.try_on(house.photo(shopper), status=TryOnStatus.SUCCEEDED, result_key=f"p/{n}")
        for n in range(3)
    ]
    live_socket = house.listen(shopper, "html")
    came = live_socket.read_to('id="history"', *(f'id="card-{row.id}"' for row in rows))
    assert (came + "".join(live_socket.silence())).count('id="history"') == 1


def test_the_dashboard_hears_of_its_garments_and_try_ons(house: Stage) -> None:
    garment = house.garment(status=GarmentStatus.CLEANING)
    row = house.try_on()
    live_socket = house.listen(house.ada, "html")
    live_socket.read_to(f'id="{garment.id}"', f'id="{row.id}"')
    house.change(garment, status=GarmentStatus.READY)
    live_socket.read_to(f'id="{garment.id}" data-version="2"')
    photo = house.photo(status=PhotoStatus.CHECKING)
    house.change(photo, status=PhotoStatus.READY)
    assert live_socket.silence() == []  # a shopper's photo is no merchant's page's concern


def test_a_backend_hears_of_its_site_and_its_mode(house: Stage) -> None:
    first = house.garment()
    live = house.listen(house.shop, suppress_origin=True, origin=None)
    test = house.connect(suppress_origin=True, origin=None)
    test.hello(house.ticket(house.shop, "test"))
    live.until("garment.ready", first)
    test.until("garment.ready", first)
    garment, row = house.garment(), house.try_on()
    house.change(garment, title="Silk shirt")
    assert live.until("garment.ready", garment)["title"] == "Silk shirt"
    assert test.until("garment.ready", garment)["title"] == "Silk shirt"
    house.change(row, status=TryOnStatus.RUNNING)
    live.until("running", row)
    assert test.silence() == []


def test_nobody_hears_of_what_is_not_theirs(house: Stage) -> None:
    old = house.try_on()
    others = {
        "another shopper": house.listen(house.tom),
        "a shopper elsewhere": house.listen(house.zoe),
        "Cleo": house.listen(house.cleo, "html"),
        "Cleo's backend": house.listen(house.other_shop, suppress_origin=True, origin=None),
    }
    sam = house.listen(house.sam)
    sam.until("queued", old)
    for live_socket in others.values():
        live_socket.silence()
    photo = house.photo(status=PhotoStatus.CHECKING)
    row = house.try_on(photo)
    house.change(photo, status=PhotoStatus.READY)
    house.change(row, status=TryOnStatus.RUNNING)
    house.change(house.garment(), title="Wool coat")
    sam.until("running", row)
    photos.remove(house.services, house.caller(house.sam), photo.id)
    sam.until("photo.deleted", photo)
    for name, live_socket in others.items():
        assert not any(row.id in said or photo.id in said for said in live_socket.silence()), name
        assert not any(old.id in said for said in live_socket.heard), name


def test_what_is_deleted_is_said_to_be_gone(house: Stage) -> None:
    photo, shopper = house.photo(), house.caller(house.sam)
    row = house.try_on(photo, status=TryOnStatus.SUCCEEDED, result_key="k")
    live_socket, page = house.listen(house.sam), house.listen(house.sam, "html")
    live_socket.until("succeeded", row)
    page.read_to('id="history"')
    try_ons.remove(house.services, shopper, row.id)
    assert live_socket.until("deleted", row).keys() == {"type", "id", "version"}
    page.read_to(f'id="card-{row.id}" data-state="gone"')
    photos.remove(house.services, shopper, photo.id)
    live_socket.until("photo.deleted", photo)


def test_an_older_version_never_follows_a_newer_one(house: Stage) -> None:
    row = house.try_on()
    live_sockets = [house.listen(house.sam) for _ in range(5)]
    for live_socket in live_sockets:
        live_socket.until("queued", row)
    for step in range(1, 120):
        house.change(row, status=TryOnStatus.RUNNING, step=step, steps=200)
    house.change(row, status=TryOnStatus.SUCCEEDED, result_key="k")
    for live_socket in live_sockets:
        live_socket.until("succeeded", row)
        versions = [said["version"] for said in live_socket.events() if said["id"] == row.id]
        assert versions == sorted(set(versions))
        assert versions[-1] == 121
        assert len(versions) <= 121


@pytest.mark.postgres
def test_many_sockets_on_postgresql(
    redis_url: str, postgres_url: str, store: S3Settings, tmp_path: Path
) -> None:
    """More sockets than database connections, and all of them at once."""
    with stage(redis_url, postgres_url, store, tmp_path) as made:
        made.serve()
        row = made.try_on()
        live_sockets = [made.connect() for _ in range(60)]
        for live_socket in live_sockets:
            live_socket.hello(made.ticket(made.sam))
        for live_socket in live_sockets:
            live_socket.until("queued", row, 10)
        made.change(row, status=TryOnStatus.RUNNING)
        for live_socket in live_sockets:
            live_socket.until("running", row, 10)


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("hello", 4400),
        ("[]", 4400),
        ('{"type": "hello"}', 4400),
        ('{"type": "hullo", "ticket": "x", "format": "json"}', 4400),
        ('{"type": "hello", "ticket": 7, "format": "json"}', 4400),
        ('{"type": "hello", "ticket": "x", "format": "xml"}', 4400),
        ('{"type": "hello", "ticket": "\\ud800", "format": "json"}', 4400),
        ("[" * 4000, 4400),
        ('{"type": "hello", "ticket": "x", "format": "json"}', 4401),
        ('{"type": "hello", "ticket": "x' + "y" * 5000 + '"}', 1009),
    ],
)
def test_a_bad_first_frame(house: Stage, frame: str, code: int) -> None:
    live_socket = house.connect()
    live_socket.ws.send(frame)
    assert live_socket.close_code() == code


def test_a_binary_first_frame(house: Stage) -> None:
    live_socket = house.connect()
    live_socket.ws.send_binary(b"\xff\x00")
    assert live_socket.close_code() == 4400


def test_a_ticket_is_good_once(house: Stage) -> None:
    ticket, row = house.ticket(house.sam), house.try_on()
    first = house.connect()
    first.hello(ticket)
    first.until("queued", row)
    second = house.connect()
    second.hello(ticket)
    assert second.close_code() == 4401


def test_silence_is_ended_after_five_seconds(house: Stage) -> None:
    began = time.monotonic()
    assert house.connect().close_code() == 4401
    assert time.monotonic() - began > 4.5


@pytest.mark.parametrize(
    "origin", ["https://shop.example", "null", "http://localhost.evil.example", "file://"]
)
def test_a_foreign_page_is_refused_before_it_says_anything(house: Stage, origin: str) -> None:
    assert house.connect(origin=origin).close_code() == 4403


@pytest.mark.parametrize("who", ["sam", "ada"])
def test_a_pages_ticket_without_an_origin_is_refused(house: Stage, who: str) -> None:
    live_socket = house.listen(getattr(house, who), suppress_origin=True, origin=None)
    assert live_socket.close_code() == 4403


def test_backends_hear_json_and_the_dashboard_html(house: Stage) -> None:
    live_socket = house.listen(house.shop, "html", suppress_origin=True, origin=None)
    assert live_socket.close_code() == 4400
    assert house.listen(house.ada, "json").close_code() == 4400


def test_a_page_hears_nothing_once_its_session_has_ended(house: Stage) -> None:
    """Not of the socket that is open, and not by a ticket from before."""
    user = User(
        merchant_id=house.ada.id, email="ada@example.com", role="owner", password_hash="-"
    )  # fmt: skip
    house.add(user)
    dashboard_sessions.begin(house.services, user.id, password_hash="-", browser="Firefox")
    (session,) = dashboard_sessions.listing(house.services, user.id, now())
    listener = replace(house.caller(house.ada), session_id=session.id)
    tickets = [auth.issue_live_ticket(house.services, listener) for _ in range(2)]
    live_socket, row = house.connect(), house.garment(title="Before")
    live_socket.hello(tickets[0], "html")
    live_socket.read_to("Before")
    house.change(row, title="Meanwhile")
    live_socket.read_to("Meanwhile")
    dashboard_sessions.end(house.services, user.id, session.id)
    house.change(row, title="Afterwards")
    late = house.connect()
    late.hello(tickets[1], "html")
    for closed in (live_socket, late):
        assert closed.close_code() == 1012  # the page then asks for a ticket, and is told to log in
        assert "Afterwards" not in "".join(closed.heard)


def test_after_a_while_it_must_show_who_it_is_again(
    redis_url: str, sqlite_url: str, rclone_service: S3Settings, tmp_path: Path
) -> None:
    """Who was let in may since have lost her key; a new ticket is for who still may."""
    with stage(redis_url, sqlite_url, rclone_service, tmp_path) as house:
        house.serve(PROTEUS_SOCKET_LIFE_S="1")
        row = house.try_on()
        live_socket = house.listen(house.sam)
        live_socket.until("queued", row)
        assert live_socket.close_code() == 1012
        house.listen(house.sam).until("queued", row)


# --- many sockets --------------------------------------------------------------------------------


def test_more_sockets_than_slots(house: Stage) -> None:
    row = house.try_on()
    live_sockets = [
        house.listen(house.sam) for _ in range(40)
    ]  # those that say nothing are soon ended
    for live_socket in live_sockets:
        live_socket.until("queued", row)
    assert house.connect().close_code() == 4429
    assert httpx.get(f"{house.url}/healthz").status_code == 200
    for live_socket in live_sockets:
        live_socket.vanish()
    wait_for(lambda: _hears(house, row))


def _hears(house: Stage, row: Any) -> bool:
    """Whether there is a free slot."""
    live_socket = house.listen(house.sam)
    try:
        live_socket.until("queued", row, 2)
    except (AssertionError, OSError, ValueError, websocket.WebSocketException):
        return False
    return True


def test_a_socket_may_talk_on_without_being_answered(house: Stage) -> None:
    row = house.try_on()
    live_socket = house.listen(house.sam)
    live_socket.until("queued", row)
    for _ in range(20):
        live_socket.ws.send(json.dumps({"type": "anything"}))
    house.change(row, status=TryOnStatus.RUNNING)
    live_socket.until("running", row)


def test_one_subscription_for_all_sockets(house: Stage) -> None:
    live_sockets = [house.listen(house.sam) for _ in range(10)]
    for live_socket in live_sockets:
        live_socket.silence(0.1)
    with Redis.from_url(house.redis_url) as redis:
        subscribers: Any = redis.pubsub_numsub("proteus:nudges")
    assert subscribers == [(b"proteus:nudges", 1)]


# --- the server ends -----------------------------------------------------------------------------


def test_a_deploy_closes_open_sockets_with_1012(
    redis_url: str, sqlite_url: str, store: S3Settings, tmp_path: Path
) -> None:
    with stage(redis_url, sqlite_url, store, tmp_path) as made:
        server = made.serve()
        row = made.try_on()
        said_hello, said_nothing = made.listen(made.sam), made.connect()
        said_hello.until("queued", row)
        server.send_signal(signal.SIGTERM)
        assert said_hello.close_code() == 1012
        assert said_nothing.close_code() == 1012
        assert server.wait(60) == 0
