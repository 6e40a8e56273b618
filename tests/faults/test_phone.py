"""15: a phone sleeps for a minute, or, beside a server that pings eight times as often, less."""

from __future__ import annotations

import time

import pytest
import websocket

from server.web.live import PING_S
from tests.faults.length import ASLEEP_S, IS_LONG
from tests.faults.road import Road
from tests.proxy import Proxy, proxy
from tests.stage import Ear
from tests.waiting import DEADLINE_S, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.slow]

TOO_MANY = 4429
HURRIED = ("-m", "tests.faults.broken_server", "pings often")


def test_a_server_notices_within_a_minute() -> None:
    """Of the pings of service, two go out while a phone sleeps; the next test may hurry them."""
    assert 2 * PING_S < 60


def serve(road: Road) -> None:
    if IS_LONG:
        road.serve(PROTEUS_MAX_SOCKETS="1")
        return
    road.house.start(*HURRIED, log="server.log", PROTEUS_MAX_SOCKETS="1")
    wait_for(road.house.answers)


@pytest.mark.timeout(240)
def test_a_phone_sleeps_for_a_minute(road: Road) -> None:
    """Its connection stays open and says nothing. The server lets go of it after two unanswered
    pings, so that its slot (here the only one) is free when it wakes and connects anew."""
    house = road.house
    road.steward()
    serve(road)
    with proxy("localhost", house.port) as way:
        asleep = through(road, way)
        try_on_id = road.ask()
        asleep.until("queued")
        assert house.connect(timeout=DEADLINE_S).close_code() == TOO_MANY
        way.fall_silent()
        road.struck()
        began = time.monotonic()
        road.work()
        time.sleep(max(0.0, began + ASLEEP_S - time.monotonic()))  # the fault itself
        way.wake()
        assert through(road, way).until("succeeded")["id"] == try_on_id
    assert road.tell(15, f"phone asleep for {ASLEEP_S} s").succeeded == 1


def through(road: Road, way: Proxy) -> Ear:
    url = f"ws://127.0.0.1:{way.port}/v1/live"
    ear = Ear(websocket.create_connection(url, origin=road.house.url, timeout=DEADLINE_S))
    road.house.ears.append(ear)
    ear.hello(road.house.ticket(road.house.sam))
    return ear
