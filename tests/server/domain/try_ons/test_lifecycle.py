"""The state machine of a try-on: whatever happens in whatever order, only legal moves are made, and
one that is put back stands as one that was never run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect

from gpu_worker.contract import Category, TryOnStatus
from server.domain import try_ons
from server.domain.transitions import IllegalMoveError, write
from server.domain.try_ons import lifecycle
from server.domain.try_ons.lifecycle import MOVES, UNFINISHED, UNTOUCHED
from server.infra.kinds import Values
from server.models import DoomedObject, TryOn, now
from server.steward.put_back import PutBack
from tests.services import S3Settings
from tests.stage import Stage, stage

T0 = datetime(2026, 11, 21, 12, tzinfo=UTC)
# What no run touches: whose it is, what was asked for, what she thinks of it, how long it is kept.
LASTING = {
    "id", "merchant_id", "site_id", "shopper_id", "photo_id", "garment_id", "mode", "engine",
    "lane", "category", "options", "seed", "liked", "like_reason", "shared", "asked_from",
    "version", "created_at", "expires_at", "deleted_at",
}  # fmt: skip
Move = Callable[[TryOn, datetime], Values]
MOVED: dict[str, tuple[TryOnStatus, Move]] = {
    "runs": (
        TryOnStatus.RUNNING,
        lambda row, at: lifecycle.running(row, at, step=row.step + 1, steps=9, tier="small"),
    ),
    "succeeds": (
        TryOnStatus.SUCCEEDED,
        lambda row, at: lifecycle.succeeded(
            row, at, {"result_key": "pictures/1.jpg", "width": 3, "height": 4, "is_preview": True}
        ),
    ),
    "fails": (
        TryOnStatus.FAILED,
        lambda row, at: lifecycle.failed(row, at, "engine_failed", retryable=True),
    ),
    "is cancelled": (TryOnStatus.CANCELLED, lifecycle.cancelled),
    "expires": (TryOnStatus.EXPIRED, lifecycle.expired),
    "is put back": (TryOnStatus.QUEUED, lambda row, _at: lifecycle.restarted(row)),
    "is retried": (TryOnStatus.QUEUED, lifecycle.retried),
}
NOTED: dict[str, Move] = {
    "is placed": lambda _row, at: lifecycle.placed(3, at),
    "is shown": lambda _row, _at: lifecycle.shown("pictures/1-partial.jpg", 4),
}


def asked_for() -> TryOn:
    return TryOn(
        id="try_1", engine="null", seed=3, category=Category.UPPER, asked_from="a mark",
        **lifecycle.fresh(T0),
    )  # fmt: skip


def columns_of(row: TryOn, names: Any = UNTOUCHED) -> dict[str, object]:
    return {name: getattr(row, name) for name in names}


def test_every_column_is_either_a_runs_or_lasts() -> None:
    """A new column must say which, or one put back would keep what an earlier run left there."""
    columns = {column.key for column in inspect(TryOn).columns}
    assert set(UNTOUCHED) | LASTING | {"status", "queued_at"} == columns
    assert set(UNTOUCHED) & LASTING == set()


@given(st.lists(st.sampled_from([*MOVED, *NOTED]), max_size=12))
def test_only_legal_moves_are_made_and_who_is_put_back_is_as_new(steps: list[str]) -> None:
    row, at = asked_for(), T0
    for name in steps:
        at, before, stood = at + timedelta(seconds=1), row.status, columns_of(row, vars(row))
        if name in NOTED:
            if lifecycle.is_open(row):
                write(row, NOTED[name](row, at))
            continue
        to, move = MOVED[name]
        if to not in MOVES.table[before]:
            with pytest.raises(IllegalMoveError):
                move(row, at)
            assert columns_of(row, stood) == stood
            continue
        write(row, move(row, at))
        assert row.status is to
        assert before in MOVES.before(to)
        if to is TryOnStatus.QUEUED:
            assert columns_of(row) == columns_of(asked_for())
        if to.is_final:
            assert (row.position, row.partial_key, row.partial_step) == (None, None, None)
            assert (row.asked_from, row.finished_at) == (None, at)
            queue_ms, total_ms = row.queue_ms, row.total_ms
            assert queue_ms is not None
            assert total_ms is not None
            assert 0 <= queue_ms <= total_ms


def test_what_is_over_stays_over_but_for_a_retry() -> None:
    assert set(UNFINISHED) == {TryOnStatus.QUEUED, TryOnStatus.RUNNING}
    ways = {status: set(MOVES.table[status]) for status in TryOnStatus if status.is_final}
    assert ways.pop(TryOnStatus.FAILED) == {TryOnStatus.QUEUED}
    assert set.union(*ways.values()) == set()


def test_a_tombstone_says_nothing_of_her() -> None:
    row = asked_for()
    write(row, lifecycle.shown("pictures/1-partial.jpg", 4) | {"photo_id": "pho_1", "shared": True})
    write(row, lifecycle.cancelled(row, T0))
    write(row, lifecycle.tombstone(row, T0))
    hers = ("photo_id", "result_key", "partial_key", "like_reason", "asked_from", "shared")
    assert not any(getattr(row, name) for name in hers)
    assert not lifecycle.is_open(row)


# --- the rows ------------------------------------------------------------------------------------


@pytest.fixture
def house(redis_url: str, sqlite_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Stage]:
    with stage(redis_url, sqlite_url, store, tmp_path) as made:
        yield made


RAN: dict[str, Any] = {
    "step": 3, "steps": 9, "tier": "small", "partial_key": "pictures/partial.jpg",
    "partial_step": 2, "started_at": T0, "ready_at": T0,
}  # fmt: skip


@pytest.mark.parametrize("photo_is_gone", [False, True])
def test_the_steward_puts_one_back_as_new_or_ends_it(house: Stage, photo_is_gone: bool) -> None:
    row = house.try_on(age_s=60, status=TryOnStatus.RUNNING, asked_from="a mark", **RAN)
    if photo_is_gone:
        house.change(row, photo_id=None)
    house.redis.flushall()
    put_back = PutBack(house.services, lost_after_s=1)
    assert [put_back.run(now()), put_back.run(now())] == [0, 0 if photo_is_gone else 1]
    after = house.read(row)
    with house.services.read() as session:
        doomed = [found.key for found in session.query(DoomedObject)]
    assert doomed == ["pictures/partial.jpg"]
    if photo_is_gone:
        assert (after.status, after.error_code) == (TryOnStatus.FAILED, "garment_not_found")
        assert (after.asked_from, after.partial_key) == (None, None)
        assert after.total_ms >= 60_000
    else:
        assert after.status is TryOnStatus.QUEUED
        assert columns_of(after) == columns_of(asked_for())
        assert after.asked_from == "a mark"


def test_whoever_takes_hers_back_is_told_how_long_it_took(house: Stage) -> None:
    row = house.try_on(age_s=60, status=TryOnStatus.RUNNING, **RAN)
    house.change(row, started_at=row.queued_at + timedelta(seconds=20))
    after = try_ons.cancel(house.services, house.caller(house.sam), row.id)
    assert (after.status, after.partial_key, after.partial_step) == (
        TryOnStatus.CANCELLED, None, None
    )  # fmt: skip
    assert after.queue_ms == 20_000
    assert after.total_ms is not None
    assert after.total_ms >= 60_000


def test_an_operators_retry_is_as_new(house: Stage) -> None:
    row = house.try_on(age_s=60, status=TryOnStatus.FAILED, position=2, model_ms=5, **RAN)
    again = try_ons.retry(house.services, row.id)
    assert again.status is TryOnStatus.QUEUED
    assert columns_of(again) == columns_of(asked_for())
    assert again.queued_at > row.queued_at
