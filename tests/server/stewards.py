"""A steward in the test's own process, run turn by turn at times that the test chooses."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from server.models import DoomedObject, now
from server.steward.steward import Steward
from tests.stage import Stage

# For tests that concern Redis alone.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def turn(steward: Steward, times: int = 1, after_s: float = 0) -> None:
    """Runs the steward's loop so many times, as if it were `after_s` seconds later."""
    for _ in range(times):
        steward.loop(now() + timedelta(seconds=after_s), wait_ms=1)


def doomed(house: Stage) -> set[str]:
    """The keys of the objects that are to be deleted."""
    with house.services.read() as session:
        return set(session.scalars(select(DoomedObject.key)))
