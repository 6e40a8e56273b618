"""A garment's two jobs, fetched and then cleaned: whatever is lost or told twice, it has the one
that is next, once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rq.job import Job as RqJob
from rq.serializers import JSONSerializer

from gpu_worker import contract
from gpu_worker.contract import (
    FETCHER,
    TAILOR,
    EventType,
    FetchJob,
    GarmentJob,
    GarmentStatus,
    Lane,
    fetch_id,
    queue_name,
)
from server.domain.garments import jobs as garment_jobs
from server.infra.store import garment_keys
from server.models import Garment, now
from server.steward.steward import Steward
from tests.server.stewards import ON_SQLITE, doomed, turn
from tests.stage import Stage

ADDRESS = "https://shop.example/tee.jpg"


def by_address(house: Stage, age_s: float = 60, **changes: Any) -> Garment:
    told: dict[str, Any] = {
        "status": GarmentStatus.CLEANING,
        "image_url": ADDRESS,
        "upload_key": None,
        "queued_at": now() - timedelta(seconds=age_s),
    }
    return house.garment(**{**told, **changes})


def fetched(row: Garment) -> str:
    return str(garment_keys(row.id).fetched)


def line(house: Stage, engine: str, lane: Lane = Lane.BULK) -> list[str]:
    name = queue_name(engine, lane, house.ada.id)
    entries: list[Any] = house.redis.lrange(f"rq:queue:{name}", 0, -1)
    return [entry.decode() for entry in entries]


def job(house: Stage, job_id: str) -> contract.Job:
    found = RqJob.fetch(job_id, connection=house.redis, serializer=JSONSerializer)
    return contract.job_from_json(found.args[0])


def test_what_was_fetched_goes_on_to_the_tailor_once(house: Stage, steward: Steward) -> None:
    row = by_address(house)
    garment_jobs.enqueue(house.services, row)
    assert line(house, FETCHER) == [fetch_id(row.id)]
    house.emit(row, EventType.FETCHED, key=fetched(row))
    turn(steward)
    told = job(house, row.id)
    assert isinstance(told, GarmentJob)
    assert told.upload_key == fetched(row)
    after = house.read(row)
    assert (after.status, after.upload_key) == (GarmentStatus.CLEANING, fetched(row))
    assert after.queued_at > row.queued_at, "it waits anew"
    house.emit(row, EventType.FETCHED, key=fetched(row))
    turn(steward)
    assert line(house, TAILOR) == [row.id]
    assert house.read(row).version == after.version
    house.emit(row, EventType.READY)
    turn(steward)
    assert house.read(row).status is GarmentStatus.READY
    assert doomed(house) == set()


def test_what_is_fetched_once_more_after_all_is_over_goes(house: Stage, steward: Steward) -> None:
    """Also of a garment that was deleted while its picture was on its way."""
    ready = by_address(house, status=GarmentStatus.READY, upload_key="x")
    gone = by_address(house)
    house.emit(ready, EventType.FETCHED, key=fetched(ready))
    house.emit(gone, EventType.FETCHED, key=fetched(gone))
    with house.services.database.session_scope() as session:
        session.delete(session.merge(gone))
    house.put(fetched(ready), fetched(gone))
    turn(steward)
    turn(steward, after_s=2)
    assert house.objects() == set()
    assert house.read(ready).status is GarmentStatus.READY
    assert line(house, TAILOR) == []


@ON_SQLITE
def test_an_event_says_nothing_that_the_row_does_not_allow(house: Stage, steward: Steward) -> None:
    rows = [
        by_address(house, age_s=0, image_url=None, upload_key="uploads/1"),
        by_address(house, age_s=0, upload_key="uploads/1"),
        by_address(house, age_s=0, status=GarmentStatus.REJECTED),
        by_address(house, age_s=0),
    ]
    for row in rows[:3]:
        house.emit(row, EventType.FETCHED, key=fetched(row))
    others = ["garments/gar_other/fetched", "photos/pho_1/photo.jpg", fetched(rows[0]), None]
    for key in others:
        house.emit(rows[3], EventType.FETCHED, key=key)
    turn(steward)
    for row in rows:
        after = house.read(row)
        assert (after.status, after.upload_key, after.version) == (row.status, row.upload_key, 1)
    assert line(house, TAILOR) == []
    assert steward.counts["unreadable"] == len(others)


def in_each_state(house: Stage) -> list[Garment]:
    """To be fetched; fetched, to be cleaned; uploaded, to be cleaned."""
    return [
        by_address(house),
        by_address(house, upload_key="garments/x/fetched"),
        by_address(house, upload_key="uploads/1", image_url=None),
    ]


@ON_SQLITE
def test_a_lost_garment_is_put_back_where_it_belongs(house: Stage, steward: Steward) -> None:
    rows = in_each_state(house)
    for after_s in (0, 3, 6):
        turn(steward, after_s=after_s)
    assert line(house, FETCHER) == [fetch_id(rows[0].id)]
    told = job(house, fetch_id(rows[0].id))
    assert isinstance(told, FetchJob)
    assert (told.image_url, told.fetched_key) == (ADDRESS, fetched(rows[0]))
    assert sorted(line(house, TAILOR)) == sorted(row.id for row in rows[1:])
    assert isinstance(job(house, rows[1].id), GarmentJob)


@ON_SQLITE
def test_those_that_an_earlier_version_put_in_line_are_left_where_they_are(
    house: Stage, steward: Steward
) -> None:
    rows = in_each_state(house)
    name = queue_name(TAILOR, Lane.LIVE, house.ada.id)
    house.redis.rpush(f"rq:queue:{name}", *(row.id for row in rows))
    turn(steward)
    turn(steward, after_s=3)
    assert line(house, FETCHER) + line(house, TAILOR) == []


@ON_SQLITE
def test_a_fetch_under_way_is_left_alone(house: Stage, steward: Steward) -> None:
    row = by_address(house)
    name = queue_name(FETCHER, Lane.BULK, house.ada.id)
    house.redis.zadd(f"rq:wip:{name}", {f"{fetch_id(row.id)}:exec": 2_000_000_000})
    turn(steward)
    turn(steward, after_s=3)
    assert line(house, FETCHER) == []


@ON_SQLITE
def test_a_fetch_that_runs_out_leaves_the_line(house: Stage, steward: Steward) -> None:
    row = by_address(house, age_s=0)
    garment_jobs.enqueue(house.services, row)
    turn(steward, after_s=house.settings.try_on_timeout_s + 5)
    assert house.read(row).reasons == ["worker_lost"]
    assert line(house, FETCHER) == []
    assert not house.redis.exists(f"rq:job:{fetch_id(row.id)}")
