"""The harness's own counts: they find whatever is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpu_worker.contract import TryOnStatus
from server.infra.store import picture_key
from server.models import TryOn, now
from tests.faults.road import Road

pytestmark = pytest.mark.faults


@pytest.fixture
def done(road: Road) -> TryOn:
    """One try-on, accepted and drawn, as the steward leaves it."""
    (try_on_id,) = road.order()
    row = road.rows()[try_on_id]
    road.house.put(picture_key(row.id))
    end(road, row)
    road.house.redis.flushall()
    return row


def end(road: Road, row: TryOn, status: TryOnStatus = TryOnStatus.SUCCEEDED) -> None:
    road.house.change(row, status=status, finished_at=now(), result_key=picture_key(row.id))


def test_all_is_well(road: Road, done: TryOn) -> None:
    counts = road.count()
    assert (counts.accepted, counts.succeeded, counts.lost, counts.doubled) == (1, 1, 0, 0)
    assert road.is_settled()


def without_its_end(road: Road, _done: TryOn) -> None:
    road.order()
    road.house.redis.flushall()


def without_its_picture(road: Road, done: TryOn) -> None:
    road.house.store.delete_object(Bucket=road.house.s3.bucket, Key=picture_key(done.id))
    assert road.is_settled()


def without_a_row(road: Road, _done: TryOn) -> None:
    road.accepted.append("try_that_was_promised")


@pytest.mark.parametrize("happens", [without_its_end, without_its_picture, without_a_row])
def test_lost(road: Road, done: TryOn, happens: Callable[[Road, TryOn], None]) -> None:
    happens(road, done)
    assert road.count().lost == 1


def a_second_end(road: Road, done: TryOn) -> None:
    end(road, done)


def another_end(road: Road, done: TryOn) -> None:
    end(road, done, TryOnStatus.CANCELLED)
    end(road, done)


def a_row_that_nobody_asked_for(road: Road, _done: TryOn) -> None:
    road.order()
    road.accepted.pop()
    road.house.redis.flushall()


def a_picture_that_nobody_asked_for(road: Road, _done: TryOn) -> None:
    road.house.put(picture_key("try_nobody"))


def a_job_that_would_run_again(road: Road, done: TryOn) -> None:
    road.house.redis.lpush(f"rq:queue:null:live:{done.merchant_id}", done.id)
    assert not road.is_settled()


@pytest.mark.parametrize(
    ("happens", "doubled"),
    [
        (a_second_end, 1),
        (another_end, 2),
        (a_row_that_nobody_asked_for, 1),
        (a_picture_that_nobody_asked_for, 1),
        (a_job_that_would_run_again, 1),
    ],
)
def test_doubled(
    road: Road, done: TryOn, happens: Callable[[Road, TryOn], None], doubled: int
) -> None:
    happens(road, done)
    assert road.count().doubled == doubled
