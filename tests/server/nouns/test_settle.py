"""What an event makes of a row: the rules, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gpu_worker.contract import (
    Category,
    ContractError,
    Event,
    EventType,
    GarmentStatus,
    PhotoStatus,
    TryOnStatus,
)
from server.domain.try_ons import settle
from server.infra.kinds import Change
from server.models import Garment, Photo, TryOn
from server.nouns import KINDS
from tests.stage import event

T0 = datetime(2026, 11, 21, 12, tzinfo=UTC)
SOON = T0 + timedelta(seconds=4)
FINAL = [status for status in TryOnStatus if status.is_final]


def try_on(**changes: Any) -> TryOn:
    told: dict[str, Any] = {
        "id": "try_1", "status": TryOnStatus.QUEUED, "engine": "null", "seed": 3, "step": 0,
        "steps": 0, "created_at": T0, "queued_at": T0, "position": 2, "ready_at": T0,
    }  # fmt: skip
    return TryOn(**{**told, **changes})


def photo(**changes: Any) -> Photo:
    told = {"id": "pho_1", "status": PhotoStatus.CHECKING, "people": [], "upload_key": "uploads/1"}
    return Photo(**{**told, **changes})


def change(row: Any, kind: EventType, at: datetime = SOON, **data: Any) -> Change:
    jobs = KINDS.of_row(row).jobs
    assert jobs is not None
    return jobs.change(row, event(row, kind, at, **data), SOON)


def test_a_try_on_runs_and_succeeds() -> None:
    row = try_on()
    running = change(row, EventType.RUNNING, T0 + timedelta(seconds=1), step=0, steps=4)
    assert running.values["status"] is TryOnStatus.RUNNING
    assert running.values["position"] is None
    for name, value in running.values.items():
        setattr(row, name, value)

    done = change(row, EventType.SUCCEEDED, model_ms=2500, tier="full", width=768, height=1024)
    assert done.values["status"] is TryOnStatus.SUCCEEDED
    assert done.values["result_key"] == "pictures/try_1.jpg"
    assert (done.values["queue_ms"], done.values["total_ms"]) == (1000, 4000)
    assert done.values["step"] == 4
    assert done.doomed == []


def test_a_success_without_a_start_began_when_its_model_time_says() -> None:
    done = change(try_on(), EventType.SUCCEEDED, model_ms=2500)
    assert (done.values["queue_ms"], done.values["total_ms"]) == (1500, 4000)


@pytest.mark.parametrize("at", [T0 - timedelta(days=3), T0 + timedelta(days=3)])
def test_a_workers_wrong_clock_makes_no_impossible_times(at: datetime) -> None:
    done = change(try_on(), EventType.SUCCEEDED, at, model_ms=40)
    queue_ms: Any = done.values["queue_ms"]
    total_ms: Any = done.values["total_ms"]
    assert 0 <= queue_ms <= total_ms <= 4000


@pytest.mark.parametrize("kind", [EventType.RUNNING, EventType.FAILED, EventType.CANCELLED])
@pytest.mark.parametrize("status", FINAL)
def test_what_is_settled_stays(status: TryOnStatus, kind: EventType) -> None:
    assert change(try_on(status=status, result_key="k"), kind) == Change()


@pytest.mark.parametrize("status", [s for s in FINAL if s is not TryOnStatus.SUCCEEDED])
def test_a_picture_that_nobody_waits_for_is_deleted(status: TryOnStatus) -> None:
    late = change(try_on(status=status), EventType.SUCCEEDED)
    assert late == Change({}, ["pictures/try_1.jpg"])


def test_a_picture_for_a_tombstone_is_deleted() -> None:
    row = try_on(status=TryOnStatus.SUCCEEDED, deleted_at=T0)
    assert change(row, EventType.SUCCEEDED).doomed == ["pictures/try_1.jpg"]


@pytest.mark.parametrize("kind", [EventType.FAILED, EventType.CANCELLED])
def test_what_a_lost_worker_stored_for_a_tombstone_is_deleted(kind: EventType) -> None:
    row = try_on(status=TryOnStatus.CANCELLED, deleted_at=T0)
    late = change(row, kind)
    assert late == Change({}, ["pictures/try_1.jpg", "pictures/try_1-partial.jpg"])


def test_a_second_success_neither_changes_nor_deletes() -> None:
    row = try_on(status=TryOnStatus.SUCCEEDED, result_key="pictures/try_1.jpg")
    assert change(row, EventType.SUCCEEDED) == Change()


def test_she_hears_on_which_rung_her_picture_is_drawn() -> None:
    begun = change(try_on(), EventType.RUNNING, step=0, steps=20, tier="steps_20")
    assert begun.values["tier"] == "steps_20"
    assert "tier" not in change(try_on(), EventType.RUNNING, step=0, steps=20).values


@pytest.mark.parametrize("step", [0, 3, 4])
def test_progress_never_goes_back(step: int) -> None:
    row = try_on(status=TryOnStatus.RUNNING, step=4, steps=8, started_at=T0)
    assert change(row, EventType.RUNNING, step=step, steps=8) == Change()


def test_an_intermediate_picture_goes_when_the_result_is_there() -> None:
    row = try_on(status=TryOnStatus.RUNNING, started_at=T0)
    key = "pictures/try_1-partial.jpg"
    half_done = {"partial_key": key, "partial_step": 3}
    assert change(row, EventType.PARTIAL, key=key, step=3).values == half_done
    row.partial_key = key
    done = change(row, EventType.SUCCEEDED)
    assert (done.values["partial_key"], done.doomed) == (None, [key])


@pytest.mark.parametrize("end", [EventType.FAILED, EventType.CANCELLED])
def test_an_intermediate_picture_goes_where_there_is_no_result(end: EventType) -> None:
    key = "pictures/try_1-partial.jpg"
    ended = change(try_on(status=TryOnStatus.RUNNING, partial_key=key), end)
    assert (ended.values["partial_key"], ended.doomed) == (None, [key])


def test_a_reason_that_nobody_knows_is_told_as_the_engines_failure() -> None:
    assert change(try_on(), EventType.FAILED, code="gremlins").values["error_code"] == (
        "engine_failed"
    )


def test_a_checked_photo_forgets_its_raw_upload() -> None:
    ready = change(photo(), EventType.READY, hints=["dim"])
    assert ready.values["status"] is PhotoStatus.READY
    assert (ready.values["width_px"], ready.values["hints"]) == (600, ["dim"])
    assert ready.doomed == ["uploads/1"]


def test_of_several_people_one_can_still_be_chosen() -> None:
    people = [[0, 0, 0.4, 1], [0.5, 0, 0.4, 1]]
    refused = change(photo(), EventType.REJECTED, reasons=["several_people"], people=people)
    assert (refused.values["people"], refused.doomed) == (people, [])


def test_the_old_refusal_does_not_undo_the_choice() -> None:
    chosen = photo(person=1)
    again = change(chosen, EventType.REJECTED, reasons=["several_people"])
    assert again == Change()
    assert change(chosen, EventType.REJECTED, reasons=["person_too_small"]).values


@pytest.mark.parametrize("status", [PhotoStatus.CHECKING, PhotoStatus.REJECTED])
def test_a_cancelled_check_says_nothing_of_the_photo(status: PhotoStatus) -> None:
    """It ran out meanwhile, or somebody stopped the job: then it is put back."""
    assert change(photo(status=status), EventType.CANCELLED) == Change()


@pytest.mark.parametrize("kind", [EventType.READY, EventType.REJECTED, EventType.CANCELLED])
def test_a_settled_garment_stays(kind: EventType) -> None:
    row = Garment(id="gar_1", status=GarmentStatus.READY, category=Category.UPPER)
    assert change(row, kind) == Change()


@pytest.mark.parametrize(
    ("row", "kind", "data"),
    [
        (try_on(), EventType.READY, {}),
        (try_on(), EventType.SUCCEEDED, {"width": None}),
        (try_on(), EventType.SUCCEEDED, {"width": "wide"}),
        (try_on(), EventType.SUCCEEDED, {"height": True}),
        (try_on(), EventType.SUCCEEDED, {"model_ms": 2**40}),
        (try_on(), EventType.SUCCEEDED, {"model_ms": float("nan")}),
        (try_on(), EventType.RUNNING, {"steps": None}),
        (try_on(), EventType.PARTIAL, {"key": "pictures/try_2-partial.jpg"}),
        (photo(), EventType.SUCCEEDED, {}),
        (photo(), EventType.READY, {"people": 1}),
        (photo(), EventType.REJECTED, {"reasons": "nobody_found"}),
        (Garment(id="gar_1", status=GarmentStatus.CLEANING), EventType.RUNNING, {}),
        (Garment(id="gar_1", status=GarmentStatus.CLEANING), EventType.FETCHED, {}),
        (Garment(id="gar_1", status=GarmentStatus.CLEANING), EventType.READY, {"width": []}),
    ],
)
def test_an_event_that_makes_no_sense(row: Any, kind: EventType, data: dict[str, Any]) -> None:
    with pytest.raises(ContractError):
        change(row, kind, **data)


def test_a_moment_that_no_calendar_has() -> None:
    said = event(try_on(), EventType.FAILED)
    absurd = Event(subject=said.subject, id=said.id, type=said.type, at_ms=10**20, data=said.data)
    with pytest.raises(ContractError):
        settle.change(try_on(), absurd, SOON)
