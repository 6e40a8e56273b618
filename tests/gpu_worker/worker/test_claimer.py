"""What goes wrong between claim and fetch: the request ends or goes back, and its slot is free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisAwayError
from rq.job import Job as RqJob

from gpu_worker.contract import EventType, Reason
from gpu_worker.engines.null import RecordingEngine
from gpu_worker.storage.courier import TryOnCourier
from gpu_worker.worker.carrier import Carrier
from gpu_worker.worker.rq_side import RqSide
from gpu_worker.worker.tasks import Tasks
from tests import workshop
from tests.waiting import wait_for
from tests.workshop import Workshop, said

SICK = "try_sick"


def serve(shop: Workshop, **changes: Any) -> RecordingEngine:
    """All that waits, by one worker; afterwards it holds nothing."""
    engine = RecordingEngine()
    with workshop.working(shop, engine, TryOnCourier(shop.store, "null", True), **changes) as one:
        shop.wait_until_settled()
        wait_for(lambda: not len(one.book))
    return engine


def test_one_that_does_not_start_ends_alone_and_once(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = RqSide.start

    def trip(self: RqSide, rq_jobs: Sequence[RqJob]) -> None:
        if SICK in [rq_job.id for rq_job in rq_jobs]:
            raise RuntimeError("RQ trips")
        start(self, rq_jobs)

    monkeypatch.setattr(RqSide, "start", trip)
    shop.enqueue("try_1", SICK, "try_2")
    serve(shop)
    well = [EventType.SUCCEEDED]
    assert shop.ends() == {"try_1": well, SICK: [EventType.FAILED], "try_2": well}
    assert said(shop.events(SICK)[-1]) == {"code": Reason.ENGINE_FAILED.value, "retryable": True}
    assert f"job {SICK}: starting failed, in stage leaving" in caplog.text
    assert "RuntimeError: RQ trips" in caplog.text


@pytest.mark.parametrize(
    ("part", "method", "error"),
    [
        (RqSide, "start", RedisAwayError("away for a moment")),
        (Tasks, "submit", RuntimeError("no thread can be started")),
    ],
)
def test_what_could_not_be_begun_comes_back_when_its_lease_has_run_out(
    part: type, method: str, error: Exception, shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults, works = iter([error]), getattr(part, method)

    def fail_once(self: Any, *args: Any) -> None:
        for fault in faults if method == "start" or args[0].__func__ is Carrier.fetch else ():
            raise fault
        works(self, *args)

    monkeypatch.setattr(part, method, fail_once)
    shop.enqueue("try_1")
    engine = serve(shop, lease_s=1, maintenance_s=0.2)
    assert next(faults, None) is None
    assert engine.arrived == [["try_1"]]
    assert shop.ends() == {"try_1": [EventType.SUCCEEDED]}
