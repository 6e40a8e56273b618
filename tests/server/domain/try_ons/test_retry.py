"""An operator puts a failed try-on back: it is drawn as if it were asked for now, or refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from rq import Queue
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from gpu_worker.contract import EventType, TryOnStatus
from server.domain import try_ons
from server.infra.errors import Problem
from server.models import now
from server.steward.steward import Steward
from tests.stage import ENGINE, Stage


def failed(house: Stage, **changes: Any) -> Any:
    """A try-on that failed an hour ago, as long after it was asked for as one may wait."""
    told: dict[str, Any] = {
        "status": TryOnStatus.FAILED, "error_code": "engine_failed", "retryable": True, "step": 3,
        "steps": 4, "started_at": now(), "finished_at": now(), "queue_ms": 1, "total_ms": 2,
    }  # fmt: skip
    return house.try_on(age_s=3600, **told | changes)


def test_it_is_drawn_as_if_it_were_asked_for_now(house: Stage) -> None:
    row, steward = failed(house), Steward(house.services)
    registry = FailedJobRegistry(queue=queue_of(house, row))
    house.redis.zadd(registry.key, {row.id: (now() + timedelta(hours=1)).timestamp()})

    again = try_ons.retry(house.services, row.id)
    assert (again.status, again.error_code, again.step) == (TryOnStatus.QUEUED, None, 0)
    assert list(house.services.jobs.line(ENGINE).positions()) == [row.id]
    assert registry.get_job_ids(cleanup=False) == []

    steward.loop(now(), wait_ms=1)
    assert house.read(row).status == TryOnStatus.QUEUED  # its time begins anew
    house.emit(row, EventType.RUNNING, step=1, steps=4)
    house.emit(row, EventType.SUCCEEDED)
    steward.loop(now(), wait_ms=1)
    done = house.read(row)
    assert (done.status, done.error_code) == (TryOnStatus.SUCCEEDED, None)
    assert done.total_ms < 3_600_000


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        *(({"status": s}, "try_on_final") for s in TryOnStatus if s != TryOnStatus.FAILED),
        ({"expires_at": now() - timedelta(seconds=1)}, "gone"),
        ({"photo_id": None}, "gone"),
        ({"garment_id": "gar_0"}, "gone"),
    ],
)
def test_what_cannot_be_drawn_again_is_refused(
    house: Stage, changes: dict[str, Any], code: str
) -> None:
    row = failed(house)
    house.change(row, **changes)
    with pytest.raises(Problem) as caught:
        try_ons.retry(house.services, row.id)
    assert caught.value.code == code
    assert house.services.jobs.line(ENGINE).depth == 0


def queue_of(house: Stage, row: Any) -> Queue:
    name = f"{ENGINE}:live:{row.merchant_id}"
    return Queue(name, connection=house.redis, serializer=JSONSerializer)
