"""12, 13, 17, 20: the server dies, is asked twice, is full, is replaced; sockets are cut."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import httpx
import pytest
import websocket

from tests.faults.road import Road
from tests.proxy import proxy
from tests.stage import Ear, kill
from tests.waiting import DEADLINE_S, wait_for

pytestmark = pytest.mark.faults

COME_AGAIN, TOO_MANY = 1012, 4429
DEPLOY_WITHIN_S = 5
SLOW = "200,50,4"
QUICK = "5,5,2"


def result(ear: Ear, try_on_id: str) -> dict[str, Any]:
    while True:
        said = ear.until("succeeded")
        if said["id"] == try_on_id:
            return said


def times_succeeded(ear: Ear, try_on_id: str) -> int:
    return sum(said["id"] == try_on_id and said["type"] == "succeeded" for said in ear.events())


def test_the_road_without_a_fault(road: Road) -> None:
    road.steward()
    road.serve()
    road.work(PROTEUS_NULL_CURVE="5,5,4")
    ear = road.house.listen(road.house.sam)
    try_on_id = road.ask()
    done = result(ear, try_on_id)
    assert (done["width"], done["height"]) == (96, 128)
    assert httpx.get(done["result_url"]).status_code == 200
    assert {said["type"] for said in ear.events() if said["id"] == try_on_id} >= {
        "running", "succeeded",
    }  # fmt: skip
    assert road.tell(0, "none at all").succeeded == 1


def test_the_server_dies_between_commit_and_enqueue(road: Road) -> None:
    """The row is there and no job: the steward puts it in line."""
    road.steward()
    road.house.start("-m", "tests.faults.broken_server", "enqueue", log="dying.log")
    wait_for(road.house.answers)
    with pytest.raises(httpx.HTTPError):
        road.post()
    road.struck()
    road.accepted += road.rows()  # it was committed: that counts as accepted
    assert len(road.accepted) == 1
    wait_for(lambda: not road.house.answers())
    road.serve()
    road.work(PROTEUS_NULL_CURVE=QUICK)
    said = road.house.listen(road.house.sam).until("succeeded")
    assert said["result_url"]
    assert road.tell(12, "server killed between commit and enqueue").succeeded == 1


def test_the_server_is_killed_between_enqueue_and_result(road: Road) -> None:
    house = road.house
    road.steward()
    server = road.serve()
    ear = house.listen(house.sam)
    try_on_id = road.ask()
    ear.until("queued")
    road.struck()
    kill(server)
    with pytest.raises((OSError, websocket.WebSocketException)):
        ear.until("the end of the connection")
    road.work(PROTEUS_NULL_CURVE=SLOW)
    wait_for(lambda: not house.answers())
    road.serve()
    result(house.listen(house.sam), try_on_id)
    assert road.tell(12, "server killed between enqueue and result").succeeded == 1


def test_the_same_post_twice_and_many_times_at_once(road: Road) -> None:
    house = road.house
    road.steward()
    road.serve()
    road.work(PROTEUS_NULL_CURVE=SLOW)
    road.things(house.shop, house.sam)
    road.struck()
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(road.post(key="the-same"))

    askers = [threading.Thread(target=ask) for _ in range(12)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(60)
    road.settle()
    answers.append(road.post(key="the-same"))  # and once more after its end
    assert [answer.status_code for answer in answers] == [202] * 13
    assert len({answer.json()["id"] for answer in answers}) == 1
    counts = road.tell(13, "same POST twice", f"{len(answers)} times, 12 at once")
    assert (counts.accepted, counts.succeeded) == (1, 1)


def test_the_answer_to_a_post_is_lost_and_it_is_sent_again(road: Road) -> None:
    house = road.house
    road.steward()
    road.serve()
    road.work(PROTEUS_NULL_CURVE=QUICK)
    with proxy("localhost", house.port) as way:
        url = f"http://127.0.0.1:{way.port}"
        loss = way.lose_answer(b"POST /v1/try-ons")
        with pytest.raises(httpx.HTTPError):
            road.post(key="again", url=url)
        road.struck()
        assert loss.happened.is_set()
        assert road.post(key="again", url=url).status_code == 202
    counts = road.tell(13, "same POST again, its answer was lost")
    assert (counts.accepted, counts.succeeded) == (1, 1)


def test_more_sockets_than_slots_and_http_still_answers(road: Road) -> None:
    house, slots = road.house, 10
    road.steward()
    road.serve(PROTEUS_MAX_SOCKETS=str(slots))
    sitting = [house.listen(house.sam) for _ in range(slots)]
    try_on_id = road.ask()
    for ear in sitting:
        ear.until("queued")
    road.struck()
    refused = [house.connect(timeout=DEADLINE_S).close_code() for _ in range(2 * slots)]
    assert refused == [TOO_MANY] * len(refused)
    assert house.answers()
    road.work(PROTEUS_NULL_CURVE=QUICK)
    road.ask()
    for ear in sitting:
        result(ear, try_on_id)
    sitting[0].close()
    wait_for(lambda: gets_in(road))
    told = f"{len(refused)} sockets refused with {TOO_MANY}, HTTP answers"
    assert road.tell(17, "more sockets than slots", told).succeeded == 2


def gets_in(road: Road) -> bool:
    """Whether a socket can be opened again."""
    ear = road.house.listen(road.house.sam)
    try:
        return bool(ear.until("succeeded", within_s=5))
    except (OSError, KeyError, ValueError, websocket.WebSocketException):
        return False


def test_deployed_anew_under_open_sockets(road: Road) -> None:
    """All three are replaced: server, steward, worker."""
    house = road.house
    steward, server = road.steward(), road.serve()
    worker = road.work(PROTEUS_NULL_CURVE=SLOW)
    ears = [house.listen(house.sam) for _ in range(30)]
    mine = [road.ask() for _ in range(4)]
    for ear in ears:
        ear.until("queued")
    wait_for(road.is_running)
    road.struck()
    began = time.monotonic()
    for old in (server, steward, worker):
        old.send_signal(signal.SIGTERM)
    codes = [ear.close_code(60) for ear in ears]
    closed_s = time.monotonic() - began
    for old in (server, steward, worker):
        assert old.wait(60) == 0, road.logs()
    road.steward()
    road.serve()
    road.work(PROTEUS_NULL_CURVE=QUICK)
    for ear in [house.listen(house.sam) for _ in range(30)]:
        seen = {ear.until("succeeded")["id"] for _ in mine}
        assert seen == set(mine)
    assert codes == [COME_AGAIN] * len(ears)
    assert closed_s < DEPLOY_WITHIN_S
    told = f"{len(ears)} sockets closed with {COME_AGAIN} within {closed_s:.1f} s and back"
    assert road.tell(20, "deploy under open sockets", told).succeeded == 4


def test_the_socket_is_cut_while_the_job_runs(road: Road) -> None:
    house = road.house
    road.steward()
    road.serve()
    road.work(PROTEUS_NULL_CURVE=SLOW)
    ear = house.listen(house.sam)
    try_on_id = road.ask()
    ear.until("running")
    road.struck()
    ear.vanish()
    again = house.listen(house.sam)
    result(again, try_on_id)
    again.silence(0.5)
    assert times_succeeded(again, try_on_id) == 1
    assert road.tell(15, "socket cut while the job runs").succeeded == 1


def test_the_result_comes_while_no_socket_is_open(road: Road) -> None:
    house = road.house
    road.steward()
    road.serve()
    road.work(PROTEUS_NULL_CURVE=QUICK)
    ear = house.listen(house.sam)
    ear.silence(0.2)
    road.struck()
    ear.vanish()
    try_on_id = road.ask()
    road.settle()
    assert result(house.listen(house.sam), try_on_id)
    assert road.tell(15, "no socket open when the result comes").succeeded == 1
