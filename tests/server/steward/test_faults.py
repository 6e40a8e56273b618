"""One bad event, or a database that is away: the others are settled, and nothing is lost."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from gpu_worker.contract import EVENTS, STEWARDS, Event, EventType, TryOnStatus
from server.models import now
from server.steward import steward as module
from server.steward.ledger import Settled, settle_events
from server.steward.steward import FIRST_REST_S, LONGEST_REST_S, Steward
from tests.server.stewards import ON_SQLITE
from tests.stage import Stage

WHY: tuple[str, None, Exception] = ("UPDATE", None, Exception("why"))


class Tripping:
    """Settles as the ledger does, but raises where the sick one's event is among them."""

    def __init__(self, sick: str, error: Exception):
        self.sick, self.error = sick, error

    def __call__(self, session: Session, events: list[Event], at: datetime) -> Settled:
        if self.sick in [event.id for event in events]:
            raise self.error
        return settle_events(session, events, at)


def unacknowledged(house: Stage) -> int:
    return int(house.redis.xpending(EVENTS, STEWARDS)["pending"])


@ON_SQLITE
@pytest.mark.parametrize(
    "error",
    [DataError(*WHY), IntegrityError(*WHY), KeyError("ours")],
    ids=lambda one: str(one)[:20],
)
def test_an_event_that_cannot_be_settled_keeps_no_other(
    error: Exception, house: Stage, steward: Steward, monkeypatch: pytest.MonkeyPatch
) -> None:
    sick, well = house.try_on(), house.try_on()
    house.emit(sick, EventType.SUCCEEDED)
    house.emit(well, EventType.SUCCEEDED)
    monkeypatch.setattr(module, "settle_events", Tripping(sick.id, error))
    assert steward.loop(now(), wait_ms=1) == 0.0
    assert house.read(sick).status is TryOnStatus.QUEUED
    assert house.read(well).status is TryOnStatus.SUCCEEDED
    assert (steward.counts["unreadable"], unacknowledged(house)) == (1, 0)


@ON_SQLITE
def test_while_the_database_is_away_nothing_is_acknowledged_and_turns_rest_longer(
    house: Stage,
    steward: Steward,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    row = house.try_on()
    house.emit(row, EventType.SUCCEEDED)
    with monkeypatch.context() as patched:
        patched.setattr(module, "settle_events", Tripping(row.id, OperationalError(*WHY)))
        assert steward.loop(now(), wait_ms=1) == FIRST_REST_S
        assert steward.loop(now(), wait_ms=1) == 2 * FIRST_REST_S
        patched.setattr(steward._inbox, "read", _trip)
        assert steward.loop(now(), wait_ms=1) == LONGEST_REST_S
    assert "settling waits 0.2 s: " in caplog.text
    assert "a turn fails" in caplog.text
    assert (steward.counts["unreadable"], unacknowledged(house)) == (0, 1)
    assert house.read(row).status is TryOnStatus.QUEUED
    assert steward.loop(now(), wait_ms=1) == 0.0
    assert (house.read(row).status, unacknowledged(house)) == (TryOnStatus.SUCCEEDED, 0)


def _trip(_wait_ms: int) -> None:
    raise KeyError("ours")
