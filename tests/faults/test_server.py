"""12, 13, 17, 20: the server dies, is asked twice, is full, is replaced; sockets are cut."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import httpx
import pytest
import websocket

from tests.faults.whole_service import WholeService
from tests.proxy import proxy
from tests.stage import LiveSocket, kill
from tests.waiting import DEADLINE_S, wait_for

pytestmark = pytest.mark.faults

COME_AGAIN, TOO_MANY = 1012, 4429
DEPLOY_WITHIN_S = 5
SLOW = "200,50,4"
QUICK = "5,5,2"


def result(live_socket: LiveSocket, try_on_id: str) -> dict[str, Any]:
    while True:
        said = live_socket.until("succeeded")
        if said["id"] == try_on_id:
            return said


def times_succeeded(live_socket: LiveSocket, try_on_id: str) -> int:
    return sum(
        said["id"] == try_on_id and said["type"] == "succeeded" for said in live_socket.events()
    )


def test_the_road_without_a_fault(service: WholeService) -> None:
    service.steward()
    service.serve()
    service.work(PROTEUS_NULL_CURVE="5,5,4")
    live_socket = service.house.listen(service.house.sam)
    try_on_id = service.ask()
    done = result(live_socket, try_on_id)
    assert (done["width"], done["height"]) == (96, 128)
    assert httpx.get(done["result_url"]).status_code == 200
    assert {said["type"] for said in live_socket.events() if said["id"] == try_on_id} >= {
        "running", "succeeded",
    }  # fmt: skip
    assert service.tell(0, "none at all").succeeded == 1


def test_the_server_dies_between_commit_and_enqueue(service: WholeService) -> None:
    """The row is there and no job: the steward puts it in line."""
    service.steward()
    service.house.start("-m", "tests.faults.broken_server", "enqueue", log="dying.log")
    wait_for(service.house.answers)
    with pytest.raises(httpx.HTTPError):
        service.post()
    service.struck()
    service.accepted += service.rows()  # it was committed: that counts as accepted
    assert len(service.accepted) == 1
    wait_for(lambda: not service.house.answers())
    service.serve()
    service.work(PROTEUS_NULL_CURVE=QUICK)
    said = service.house.listen(service.house.sam).until("succeeded")
    assert said["result_url"]
    assert service.tell(12, "server killed between commit and enqueue").succeeded == 1


def test_the_server_is_killed_between_enqueue_and_result(service: WholeService) -> None:
    house = service.house
    service.steward()
    server = service.serve()
    live_socket = house.listen(house.sam)
    try_on_id = service.ask()
    live_socket.until("queued")
    service.struck()
    kill(server)
    with pytest.raises((OSError, websocket.WebSocketException)):
        live_socket.until("the end of the connection")
    service.work(PROTEUS_NULL_CURVE=SLOW)
    wait_for(lambda: not house.answers())
    service.serve()
    result(house.listen(house.sam), try_on_id)
    assert service.tell(12, "server killed between enqueue and result").succeeded == 1


def test_the_same_post_twice_and_many_times_at_once(service: WholeService) -> None:
    house = service.house
    service.steward()
    service.serve()
    service.work(PROTEUS_NULL_CURVE=SLOW)
    service.things(house.shop, house.sam)
    service.struck()
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(service.post(key="the-same"))

    askers = [threading.Thread(target=ask) for _ in range(12)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(60)
    service.settle()
    answers.append(service.post(key="the-same"))  # and once more after its end
    assert [answer.status_code for answer in answers] == [202] * 13
    assert len({answer.json()["id"] for answer in answers}) == 1
    counts = service.tell(13, "same POST twice", f"{len(answers)} times, 12 at once")
    assert (counts.accepted, counts.succeeded) == (1, 1)


def test_the_answer_to_a_post_is_lost_and_it_is_sent_again(service: WholeService) -> None:
    house = service.house
    service.steward()
    service.serve()
    service.work(PROTEUS_NULL_CURVE=QUICK)
    with proxy("localhost", house.port) as way:
        url = f"http://127.0.0.1:{way.port}"
        loss = way.lose_answer(b"POST /v1/try-ons")
        with pytest.raises(httpx.HTTPError):
            service.post(key="again", url=url)
        service.struck()
        assert loss.happened.is_set()
        assert service.post(key="again", url=url).status_code == 202
    counts = service.tell(13, "same POST again, its answer was lost")
    assert (counts.accepted, counts.succeeded) == (1, 1)


def test_more_sockets_than_slots_and_http_still_answers(service: WholeService) -> None:
    house, slots = service.house, 10
    service.steward()
    service.serve(PROTEUS_MAX_SOCKETS=str(slots))
    sitting = [house.listen(house.sam) for _ in range(slots)]
    try_on_id = service.ask()
    for live_socket in sitting:
        live_socket.until("queued")
    service.struck()
    refused = [house.connect(timeout=DEADLINE_S).close_code() for _ in range(2 * slots)]
    assert refused == [TOO_MANY] * len(refused)
    assert house.answers()
    service.work(PROTEUS_NULL_CURVE=QUICK)
    service.ask()
    for live_socket in sitting:
        result(live_socket, try_on_id)
    sitting[0].close()
    wait_for(lambda: gets_in(service))
    told = f"{len(refused)} sockets refused with {TOO_MANY}, HTTP answers"
    assert service.tell(17, "more sockets than slots", told).succeeded == 2


def gets_in(service: WholeService) -> bool:
    """Whether a socket can be opened again."""
    live_socket = service.house.listen(service.house.sam)
    try:
        return bool(live_socket.until("succeeded", within_s=5))
    except (OSError, KeyError, ValueError, websocket.WebSocketException):
        return False


def test_deployed_anew_under_open_sockets(service: WholeService) -> None:
    """All three are replaced: server, steward, worker."""
    house = service.house
    steward, server = service.steward(), service.serve()
    worker = service.work(PROTEUS_NULL_CURVE=SLOW)
    live_sockets = [house.listen(house.sam) for _ in range(30)]
    mine = [service.ask() for _ in range(4)]
    for live_socket in live_sockets:
        live_socket.until("queued")
    wait_for(service.is_running)
    service.struck()
    began = time.monotonic()
    for old in (server, steward, worker):
        old.send_signal(signal.SIGTERM)
    codes = [live_socket.close_code(60) for live_socket in live_sockets]
    closed_s = time.monotonic() - began
    for old in (server, steward, worker):
        assert old.wait(60) == 0, service.logs()
    service.steward()
    service.serve()
    service.work(PROTEUS_NULL_CURVE=QUICK)
    for live_socket in [house.listen(house.sam) for _ in range(30)]:
        seen = {live_socket.until("succeeded")["id"] for _ in mine}
        assert seen == set(mine)
    assert codes == [COME_AGAIN] * len(live_sockets)
    assert closed_s < DEPLOY_WITHIN_S
    told = f"{len(live_sockets)} sockets closed with {COME_AGAIN} within {closed_s:.1f} s and back"
    assert service.tell(20, "deploy under open sockets", told).succeeded == 4


def test_the_socket_is_cut_while_the_job_runs(service: WholeService) -> None:
    house = service.house
    service.steward()
    service.serve()
    service.work(PROTEUS_NULL_CURVE=SLOW)
    live_socket = house.listen(house.sam)
    try_on_id = service.ask()
    live_socket.until("running")
    service.struck()
    live_socket.vanish()
    again = house.listen(house.sam)
    result(again, try_on_id)
    again.silence(0.5)
    assert times_succeeded(again, try_on_id) == 1
    assert service.tell(15, "socket cut while the job runs").succeeded == 1


def test_the_result_comes_while_no_socket_is_open(service: WholeService) -> None:
    house = service.house
    service.steward()
    service.serve()
    service.work(PROTEUS_NULL_CURVE=QUICK)
    live_socket = house.listen(house.sam)
    live_socket.silence(0.2)
    service.struck()
    live_socket.vanish()
    try_on_id = service.ask()
    service.settle()
    assert result(house.listen(house.sam), try_on_id)
    assert service.tell(15, "no socket open when the result comes").succeeded == 1
