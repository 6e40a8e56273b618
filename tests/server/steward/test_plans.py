"""What the steward asks every second, it asks of the rows that are open, not of all there were."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

from server.models import now
from server.steward.steward import Steward
from tests.services import S3Settings
from tests.stage import stage


def test_no_turn_reads_every_try_on_that_ever_was(
    redis_url: str, sqlite_url: str, store: S3Settings, tmp_path: Path
) -> None:
    with stage(redis_url, sqlite_url, store, tmp_path) as house:
        house.try_on(age_s=60)
        engine, asked = house.services.database.engine, []

        @event.listens_for(engine, "before_cursor_execute")
        def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
            asked.append((statement, values))

        steward = Steward(house.services)
        for turn in range(3):
            steward.loop(now() + timedelta(seconds=turn * 11), wait_ms=1)
        event.remove(engine, "before_cursor_execute", note)

        of_try_ons = [one for one in asked if "try_ons" in one[0]]
        assert len(of_try_ons) > 5
        with engine.connect() as connection:
            for statement, values in of_try_ons:
                explained = f"EXPLAIN QUERY PLAN {statement}"
                plan = [row[-1] for row in connection.exec_driver_sql(explained, values)]
                assert not [step for step in plan if step.startswith("SCAN try_ons")], statement
