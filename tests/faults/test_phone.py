"""15: a phone sleeps for a minute."""

from __future__ import annotations

import time

import pytest
import websocket

from tests.faults.road import Road
from tests.proxy import Proxy, proxy
from tests.stage import Ear

pytestmark = [pytest.mark.faults, pytest.mark.slow]

ASLEEP_S = 60
TOO_MANY = 4429


@pytest.mark.timeout(240)
def test_a_phone_sleeps_for_a_minute(road: Road) -> None:
    """Its connection stays open and says nothing. The server lets go of it after two unanswered
    pings, so that its slot (here the only one) is free when it wakes and connects anew."""
    house = road.house
    road.steward()
    road.serve(PROTEUS_MAX_SOCKETS="1")
    with proxy("localhost", house.port) as way:
        asleep = through(road, way)
        try_on_id = road.ask()
        asleep.until("queued")
        way.fall_silent()
        road.struck()
        began = time.monotonic()
        road.work()
        assert house.connect(timeout=30).close_code(30) == TOO_MANY
        time.sleep(max(0.0, began + ASLEEP_S - time.monotonic()))  # the fault itself
        way.wake()
        assert through(road, way).until("succeeded")["id"] == try_on_id
    assert road.tell(15, f"phone asleep for {ASLEEP_S} s").succeeded == 1


def through(road: Road, way: Proxy) -> Ear:
    url = f"ws://127.0.0.1:{way.port}/v1/live"
    ear = Ear(websocket.create_connection(url, origin=road.house.url, timeout=30))
    road.house.ears.append(ear)
    ear.hello(road.house.ticket(road.house.sam))
    return ear
