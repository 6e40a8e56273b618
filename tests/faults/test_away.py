"""19: database or store are gone for a while, from the very moment of a commit."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest

from tests.faults.length import AWAY_S
from tests.faults.whole_service import PROMISED_S, WholeService
from tests.proxy import Proxy, proxy
from tests.waiting import wait_for

pytestmark = [pytest.mark.faults, pytest.mark.slow]

EIGHT = 8


def way_to(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


def through(way: Proxy, url: str) -> str:
    host, port = way_to(url)
    return url.replace(f"{host}:{port}", f"127.0.0.1:{way.port}")


def stay_away(service: WholeService, way: Proxy) -> None:
    service.struck()
    time.sleep(AWAY_S)  # the fault itself
    way.restore()


def test_the_database_is_gone_when_an_order_is_committed(service: WholeService) -> None:
    """Nobody knows whether it was: the shopper asks again with the same key."""
    house = service.house
    with proxy(*way_to(house.database_url)) as way:
        behind = {"DATABASE_URL": through(way, house.database_url)}
        service.steward(**behind)
        service.serve(**behind)
        service.work()
        assert service.post(key="before").status_code == 202
        service.settle()
        loss = way.lose_answer(b"COMMIT", then_cut=True)
        assert service.post(key="again").status_code == 503
        assert loss.happened.is_set()
        stay_away(service, way)
        wait_for(lambda: service.post(key="again").status_code == 202)
        counts = service.tell(19, f"database gone for {AWAY_S} s at an order's commit")
    assert (counts.accepted, counts.succeeded) == (2, 2)
    assert service.recovered_s < AWAY_S + PROMISED_S


def test_the_database_is_gone_when_results_are_settled(service: WholeService) -> None:
    house = service.house
    with proxy(*way_to(house.database_url)) as way:
        service.steward(DATABASE_URL=through(way, house.database_url))
        service.order(EIGHT)
        service.work(PROTEUS_NULL_CURVE="20,5,20")
        wait_for(service.is_running)
        loss = way.lose_answer(b"COMMIT", then_cut=True)
        assert loss.happened.wait(60)
        stay_away(service, way)
        counts = service.tell(19, f"database gone for {AWAY_S} s when results are settled")
    assert counts.succeeded == EIGHT
    assert service.recovered_s < AWAY_S + PROMISED_S


def test_the_store_is_gone_when_results_are_stored(service: WholeService) -> None:
    """The first picture is stored, and the worker is never told so."""
    house = service.house
    with proxy(*way_to(house.s3.endpoint_url)) as way:
        service.house.steward()
        service.order(EIGHT)
        loss = way.lose_answer(b"PUT /", then_cut=True)
        worker = service.work(S3_ENDPOINT_URL=through(way, house.s3.endpoint_url))
        assert loss.happened.wait(90)
        stay_away(service, way)
        counts = service.tell(19, f"store gone for {AWAY_S} s when results are stored")
    assert counts.succeeded == EIGHT
    assert worker.poll() is None
    assert service.recovered_s < AWAY_S + PROMISED_S
