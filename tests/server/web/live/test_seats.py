"""Open sockets of one caller, over all server processes: counted, renewed, given back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import websocket
from redis import Redis
from redis.exceptions import RedisError

from server.infra.jobs import connect
from server.web.live.chatter import READS, REST_S, WINDOW_S, Pace, Window
from server.web.live.seats import SEAT_TTL_S, Seat, Seats, seats_key
from tests.stage import LiveSocket, Stage
from tests.waiting import wait_for

TOO_MANY = 4429


def count(redis: Redis, caller: str = "of:sam") -> int:
    return int(redis.zcard(seats_key(caller)))


def test_two_processes_count_together(redis: Redis) -> None:
    here, there = Seats(redis), Seats(redis)
    taken = [here.take("of:sam", 3), there.take("of:sam", 3), here.take("of:sam", 3)]
    assert all(taken)
    assert there.take("of:sam", 3) is None
    assert there.take("of:kim", 3) is not None
    assert taken[1] is not None
    there.leave(taken[1])
    assert here.take("of:sam", 3) is not None
    assert 0 < int(redis.ttl(seats_key("of:sam"))) <= SEAT_TTL_S


def test_seats_of_a_process_that_died_run_out_and_the_others_are_renewed(redis: Redis) -> None:
    dead, alive = Seats(redis), Seats(redis)
    assert dead.take("of:sam", 2)
    kept = alive.take("of:sam", 2)
    assert kept is not None
    members: Any = redis.zrange(seats_key("of:sam"), 0, -1)
    redis.zadd(seats_key("of:sam"), dict.fromkeys(members, 1.0))  # their time is over
    alive.renew()
    assert alive.take("of:sam", 2) is not None
    assert kept.id.encode() in set(redis.zrange(seats_key("of:sam"), 0, -1))
    assert count(redis) == 2


def test_a_redis_that_lost_all_learns_the_seats_anew(redis: Redis) -> None:
    seats = Seats(redis)
    assert seats.take("of:sam", 1)
    redis.flushall()
    seats.renew()
    assert Seats(redis).take("of:sam", 1) is None


def test_a_renewal_while_a_seat_is_asked_for_takes_no_room(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    seats = Seats(redis)
    ask = seats._has_room

    def renewed_first(seat: Seat, most: int) -> bool:
        seats.renew()
        return ask(seat, most)

    monkeypatch.setattr(seats, "_has_room", renewed_first)
    assert seats.take("of:sam", 1) is not None
    assert Seats(redis).take("of:sam", 1) is None
    seats.renew()
    assert count(redis) == 1


def test_without_redis_each_process_counts_its_own() -> None:
    seats = Seats(connect("redis://127.0.0.1:1/0"))
    first, second = seats.take("at:x", 2), seats.take("at:x", 2)
    assert first is not None
    assert second is not None
    assert seats.take("at:x", 2) is None
    seats.leave(first)
    assert seats.take("at:x", 2) is not None
    with pytest.raises(RedisError):
        seats.renew()


def test_a_window_forgets_what_is_past() -> None:
    window = Window()
    assert window.count(3, 100.0) == 3
    assert window.count(2, 100.0 + WINDOW_S / 2) == 5
    assert window.count(0, 100.0 + WINDOW_S) == 2
    assert window.count(1, 100.0 + 3 * WINDOW_S) == 1


def test_who_is_read_too_often_is_read_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr("server.web.live.chatter.time.sleep", rests.append)
    pace = Pace()
    for _ in range(READS):
        pace.wait()
    assert rests == []
    pace.wait()
    assert rests == [REST_S]


# --- through the door ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house(quiet_house: Stage) -> Stage:
    """Two server processes."""
    quiet_house.serve(
        PROTEUS_SOCKETS_PER_SHOPPER="2",
        PROTEUS_SOCKETS_PER_ADDRESS="5",
        PROTEUS_SOCKET_MESSAGES="20",
        PROTEUS_WEB_WORKERS="2",
    )
    return quiet_house


@pytest.fixture(autouse=True)
def close_ears(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "house" in request.fixturenames:
        house: Stage = request.getfixturevalue("house")
        while house.live_sockets:
            house.live_sockets.pop().close()
        with Redis.from_url(house.redis_url) as redis:
            wait_for(lambda: not redis.keys(seats_key("*")))


def open_here(house: Stage) -> int:
    """How many sockets are counted of the one address that all call from."""
    return sum(int(house.redis.zcard(key)) for key in house.redis.scan_iter(seats_key("at:*")))


@pytest.mark.process
def test_of_a_shopper_and_of_an_address_only_so_many_are_open(house: Stage) -> None:
    row = house.try_on()
    sams = [house.listen(house.sam) for _ in range(2)]
    for live_socket in sams:
        live_socket.until("queued", row)
    assert house.listen(house.sam).close_code() == TOO_MANY
    wait_for(lambda: open_here(house) == 2)
    house.listen(house.tom)
    house.listen(house.ada, "html")
    wait_for(lambda: open_here(house) == 4)
    house.connect()  # says nothing, and is counted all the same
    wait_for(lambda: open_here(house) == 5)
    assert house.listen(house.zoe).close_code() == TOO_MANY
    sams[0].close()
    wait_for(lambda: open_here(house) < 5)
    house.listen(house.sam).until("queued", row)


def chatter(live_socket: LiveSocket, messages: int) -> None:
    with suppress(OSError, websocket.WebSocketException):
        for _ in range(messages):
            live_socket.ws.send(json.dumps({"type": "anything"}))


@pytest.mark.process
@pytest.mark.parametrize("messages", [21, 20_000])
def test_who_talks_on_is_closed(house: Stage, messages: int) -> None:
    row = house.try_on()
    live_socket = house.listen(house.sam)
    live_socket.until("queued", row)
    chatter(live_socket, messages)
    assert live_socket.close_code() == TOO_MANY
