"""9, 10, 11, 16: Redis is killed, forgets everything, loses a reply, is gone for a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.faults.conftest import MakeService
from tests.faults.fragile import fragile_redis
from tests.faults.whole_service import PROMISED_S, WholeService
from tests.proxy import Proxy, proxy
from tests.services import S3Settings
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

EIGHT = 8
SLOW = "40,0,60"
AWAY_S = 1.5


@pytest.fixture
def way(redis_url: str) -> Iterator[Proxy]:
    """Between the service's processes and Redis; the test itself reads Redis directly."""
    parts = urlsplit(redis_url)
    with proxy(str(parts.hostname), int(parts.port or 0)) as made:
        yield made


def through(way: Proxy) -> dict[str, str]:
    return {"REDIS_URL": f"redis://127.0.0.1:{way.port}/0"}


def test_redis_is_killed_in_mid_batch(
    make_service: MakeService, store: S3Settings, tmp_path: Path
) -> None:
    with fragile_redis(tmp_path) as redis, make_service(redis.url, store) as service:
        service.steward()
        service.order(EIGHT)
        worker = service.work(PROTEUS_NULL_CURVE=SLOW)
        wait_for(service.is_running)
        redis.kill()
        service.struck()
        time.sleep(AWAY_S)  # how long it is gone is the fault
        redis.restart()
        counts = service.tell(9, f"redis kill -9 in mid-batch, {AWAY_S:g} s away")
        assert counts.succeeded == EIGHT
        assert worker.poll() is None


def test_everything_in_redis_is_lost_in_mid_batch(service: WholeService) -> None:
    service.steward()
    service.order(EIGHT)
    worker = service.work(PROTEUS_NULL_CURVE=SLOW)
    wait_for(service.is_running)
    service.house.redis.flushall()
    service.struck()
    counts = service.tell(10, "FLUSHALL in mid-batch")
    assert counts.succeeded == EIGHT
    assert worker.poll() is None


def test_everything_in_redis_is_lost_while_all_wait(service: WholeService) -> None:
    service.steward()
    service.order(EIGHT)
    service.house.redis.flushall()
    service.struck()
    service.work()
    assert service.tell(10, "FLUSHALL while all wait").succeeded == EIGHT


# Each is carried out by Redis, and whoever asked for it does not hear of that.
LOST = {
    "enqueue": (b"rq:queue:null:live:", b""),
    "claim": (b"EVALSHA", b"null:live:mer_"),
    "start": (b"started_at", b""),
    "end of an event": (b'"succeeded"', b""),
    "settlement": (b"successful_job_count", b""),
    "steward's reading": (b"XREADGROUP", b'"succeeded"'),
    "steward's acknowledgement": (b"XACK", b""),
}


def test_replies_are_lost_on_the_wire(service: WholeService, way: Proxy) -> None:
    service.house.steward(**through(way))
    service.serve(**through(way))
    losses = {name: way.lose_answer(*parts) for name, parts in LOST.items()}
    service.struck()
    for _ in range(EIGHT):
        service.ask()
    service.work(**through(way))
    counts = service.tell(
        11, "replies lost on the wire", f"{len(losses)} replies: {', '.join(LOST)}"
    )
    assert [name for name, loss in losses.items() if not loss.happened.is_set()] == []
    assert counts.succeeded == EIGHT


def test_redis_is_gone_for_a_moment_under_sixty_open_sockets(
    service: WholeService, way: Proxy
) -> None:
    """While it is gone one try-on after another is done, and nobody can say so."""
    house = service.house
    service.serve(**through(way))
    service.house.steward()
    live_sockets = [house.listen(house.sam) for _ in range(60)]
    mine = [service.ask() for _ in range(4)]
    for live_socket in live_sockets:
        live_socket.until("queued")
    way.cut()
    service.struck()
    service.work(PROTEUS_NULL_CURVE="5,5,2")
    wait_for(service.is_settled)
    time.sleep(AWAY_S)
    assert house.answers()
    way.restore()
    heard = [0] * len(live_sockets)

    def listen(place: int) -> None:
        done: set[str] = set()
        while done != set(mine):
            done.add(live_sockets[place].until("succeeded")["id"])
        heard[place] = 1

    threads = [threading.Thread(target=listen, args=(place,)) for place in range(len(live_sockets))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    told = f"{sum(heard)} of {len(live_sockets)} sockets saw all pictures"
    counts = service.tell(16, "redis gone under open sockets", told)
    assert (counts.succeeded, sum(heard)) == (4, len(live_sockets))


def test_redis_falls_silent_and_nobody_says_goodbye(service: WholeService, way: Proxy) -> None:
    """A host that is lost sends no end of the connection: the listener must notice by itself."""
    house = service.house
    service.serve(**through(way))
    house.steward()
    live_socket = house.listen(house.sam)
    try_on_id = service.ask()
    live_socket.until("queued")
    way.lose()
    service.struck()
    service.work(PROTEUS_NULL_CURVE="5,5,2")
    said = live_socket.until("succeeded")
    assert said["id"] == try_on_id
    assert service.tell(16, "redis silent under an open socket").succeeded == 1
    assert service.recovered_s < PROMISED_S
