"""A steward in the test's own process: one turn at a time, at whatever time the test says."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from server.models import DoomedObject, now
from server.steward.steward import Steward
from tests.stage import Stage

# For what is about Redis alone.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def turn(steward: Steward, times: int = 1, after_s: float = 0) -> None:
    for _ in range(times):
        steward.loop(now() + timedelta(seconds=after_s), wait_ms=1)


def doomed(house: Stage) -> set[str]:
    with house.services.read() as session:
        return set(session.scalars(select(DoomedObject.key)))
