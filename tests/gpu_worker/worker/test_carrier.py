"""What goes wrong around the engine is logged as what it is, and ends that request alone, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from gpu_worker.contract import EventType, Job, Reason
from gpu_worker.engine import Picture
from gpu_worker.engines.null import NullSample, RecordingEngine
from gpu_worker.storage.courier import Charge, Outcome, TryOnCourier
from gpu_worker.worker.signals import STORE_PAUSE_S, Signals
from tests import workshop
from tests.workshop import Workshop, said

Told = pytest.LogCaptureFixture
SICK = "try_sick"


class Clumsy(TryOnCourier):
    """Trips over one job, where `trips` says; `tidy` trips once."""

    trips = ""

    def _trip(self, job: Job, doing: str) -> None:
        if job.id == SICK and self.trips == doing:
            raise RuntimeError(f"a fault while {doing}")

    def fetch(self, job: Job, charge: Charge) -> Any:
        self._trip(job, "fetching")
        return super().fetch(job, charge)

    def deliver(self, job: Job, product: Picture, model_ms: int) -> Outcome:
        self._trip(job, "storing")
        return super().deliver(job, product, model_ms)

    def tidy(self, job: Job) -> None:
        trips, self.trips = self.trips, self.trips.removeprefix("tidying")
        if job.id == SICK and trips == "tidying":
            raise RuntimeError("a fault while tidying")


class Sick(RecordingEngine):
    def step(self, samples: Sequence[NullSample]) -> None:
        super().step(samples)
        if any(sample.order.id == SICK for sample in samples):
            raise RuntimeError("a fault while drawing")


def clumsy(shop: Workshop, trips: str) -> Clumsy:
    made = Clumsy(shop.store, "null", is_preview=True)
    made.trips = trips
    return made


FAULTS: list[tuple[str, str, Callable[[], RecordingEngine]]] = [
    ("fetching", "fetching", RecordingEngine),
    ("storing", "leaving", RecordingEngine),
    ("drawing", "leaving", Sick),
]


@pytest.mark.parametrize(("doing", "stage", "engine"), FAULTS)
def test_a_fault_is_logged_as_what_it_is_and_told_once(
    doing: str, stage: str, engine: Callable[[], RecordingEngine], shop: Workshop, caplog: Told
) -> None:
    shop.enqueue(SICK, "try_well")
    with workshop.working(shop, engine(), clumsy(shop, doing)):
        shop.wait_until_settled()
    assert shop.ends() == {SICK: [EventType.FAILED], "try_well": [EventType.SUCCEEDED]}
    assert said(shop.events(SICK)[-1]) == {"code": Reason.ENGINE_FAILED.value, "retryable": True}
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.getMessage() == f"job {SICK}: {doing} failed, in stage {stage}"
    assert record.exc_info
    assert record.exc_info[1] is not None
    assert str(record.exc_info[1]) == f"a fault while {doing}"


def test_a_fault_after_the_end_was_told_tells_no_other_end(shop: Workshop, caplog: Told) -> None:
    """Its lease runs out, and whoever has it then finds it done."""
    shop.enqueue(SICK)
    engine = RecordingEngine()
    with workshop.working(shop, engine, clumsy(shop, "tidying"), lease_s=1, maintenance_s=0.2):
        shop.wait_until_settled()
    assert engine.arrived == [[SICK]]
    assert set(shop.ends()[SICK]) == {EventType.SUCCEEDED}
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.getMessage() == f"job {SICK}: conclude failed, in stage gone"
    assert "a fault while tidying" in caplog.text


def test_claims_pause_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("gpu_worker.worker.signals.time", clock)
    told = Signals()
    seen = [told.may_claim]
    told.pause_claims()
    for passed_s in (STORE_PAUSE_S - 0.01, 0.02):
        now[0] += passed_s
        seen.append(told.may_claim)
    assert seen == [True, False, True]
