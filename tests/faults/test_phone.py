"""15: a phone sleeps for a minute, or, beside a server that pings eight times as often, less."""

from __future__ import annotations

import time

import pytest
import websocket

from server.web.live.websocket import PING_S
from tests.faults.length import ASLEEP_S, IS_LONG
from tests.faults.whole_service import WholeService
from tests.proxy import Proxy, proxy
from tests.stage import LiveSocket
from tests.waiting import DEADLINE_S, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.slow]

TOO_MANY = 4429
HURRIED = ("-m", "tests.faults.broken_server", "pings often")


def test_a_server_notices_within_a_minute() -> None:
    """Of the pings of service, two go out while a phone sleeps; the next test may hurry them."""
    assert 2 * PING_S < 60


def serve(service: WholeService) -> None:
    if IS_LONG:
        service.serve(PROTEUS_MAX_SOCKETS="1")
        return
    service.house.start(*HURRIED, log="server.log", PROTEUS_MAX_SOCKETS="1")
    wait_for(service.house.answers)


@pytest.mark.timeout(240)
def test_a_phone_sleeps_for_a_minute(service: WholeService) -> None:
    """Its connection stays open and says nothing. The server lets go of it after two unanswered
    pings, so that its slot (here the only one) is free when it wakes and connects anew."""
    house = service.house
    service.steward()
    serve(service)
    with proxy("localhost", house.port) as way:
        asleep = through(service, way)
        try_on_id = service.ask()
        asleep.until("queued")
        assert house.connect(timeout=DEADLINE_S).close_code() == TOO_MANY
        way.fall_silent()
        service.struck()
        began = time.monotonic()
        service.work()
        time.sleep(max(0.0, began + ASLEEP_S - time.monotonic()))  # the fault itself
        way.wake()
        assert through(service, way).until("succeeded")["id"] == try_on_id
    assert service.tell(15, f"phone asleep for {ASLEEP_S} s").succeeded == 1


def through(service: WholeService, way: Proxy) -> LiveSocket:
    url = f"ws://127.0.0.1:{way.port}/v1/live"
    live_socket = LiveSocket(
        websocket.create_connection(url, origin=service.house.url, timeout=DEADLINE_S)
    )
    service.house.live_sockets.append(live_socket)
    live_socket.hello(service.house.ticket(service.house.sam))
    return live_socket
