"""The harness's own counts: they find whatever is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpu_worker.contract import TryOnStatus
from server.infra.store import picture_key
from server.models import TryOn, now
from tests.faults.whole_service import WholeService

pytestmark = pytest.mark.faults


@pytest.fixture
def done(service: WholeService) -> TryOn:
    """One try-on, accepted and drawn, as the steward leaves it."""
    (try_on_id,) = service.order()
    row = service.rows()[try_on_id]
    service.house.put(picture_key(row.id))
    end(service, row)
    service.house.redis.flushall()
    return row


def end(service: WholeService, row: TryOn, status: TryOnStatus = TryOnStatus.SUCCEEDED) -> None:
    service.house.change(row, status=status, finished_at=now(), result_key=picture_key(row.id))


def test_all_is_well(service: WholeService, done: TryOn) -> None:
    counts = service.count()
    assert (counts.accepted, counts.succeeded, counts.lost, counts.doubled) == (1, 1, 0, 0)
    assert service.is_settled()


def without_its_end(service: WholeService, _done: TryOn) -> None:
    service.order()
    service.house.redis.flushall()


def without_its_picture(service: WholeService, done: TryOn) -> None:
    service.house.store.delete_object(Bucket=service.house.s3.bucket, Key=picture_key(done.id))
    assert service.is_settled()


def without_a_row(service: WholeService, _done: TryOn) -> None:
    service.accepted.append("try_that_was_promised")


@pytest.mark.parametrize("happens", [without_its_end, without_its_picture, without_a_row])
def test_lost(
    service: WholeService, done: TryOn, happens: Callable[[WholeService, TryOn], None]
) -> None:
    happens(service, done)
    assert service.count().lost == 1


def a_second_end(service: WholeService, done: TryOn) -> None:
    end(service, done)


def another_end(service: WholeService, done: TryOn) -> None:
    end(service, done, TryOnStatus.CANCELLED)
    end(service, done)


def a_row_that_nobody_asked_for(service: WholeService, _done: TryOn) -> None:
    service.order()
    service.accepted.pop()
    service.house.redis.flushall()


def a_picture_that_nobody_asked_for(service: WholeService, _done: TryOn) -> None:
    service.house.put(picture_key("try_nobody"))


def a_job_that_would_run_again(service: WholeService, done: TryOn) -> None:
    service.house.redis.lpush(f"rq:queue:null:live:{done.merchant_id}", done.id)
    assert not service.is_settled()


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
    service: WholeService, done: TryOn, happens: Callable[[WholeService, TryOn], None], doubled: int
) -> None:
    happens(service, done)
    assert service.count().doubled == doubled
