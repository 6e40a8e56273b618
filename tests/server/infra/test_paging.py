"""Cursors: every row once, newest first, however many share a moment, while others are added."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from server.infra import paging
from server.infra.db import Database
from server.infra.errors import Problem
from server.models import Merchant, new_id

T0 = datetime(2026, 11, 21, tzinfo=UTC)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ages=st.lists(st.integers(0, 3), max_size=12), limit=st.integers(1, 5))
def test_every_row_once(database_url: str, ages: list[int], limit: int) -> None:
    database = Database(database_url)
    rows = [
        Merchant(id=new_id("mer"), name="x", created_at=T0 + timedelta(microseconds=age))
        for age in ages
    ]
    with database.session_scope() as session:
        session.execute(delete(Merchant))
        session.add_all(rows)
    seen: list[str] = []
    cursor: str | None = None
    with database.session_scope() as session:
        while True:
            found = paging.page(session, select(Merchant), Merchant, cursor, limit)
            assert len(found.rows) <= limit
            seen += [row.id for row in found.rows]
            session.add(Merchant(name="new", created_at=T0 + timedelta(days=1)))
            cursor = found.next_cursor
            if cursor is None:
                break
    expected = sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)
    assert seen == [row.id for row in expected]
    database.dispose()


@given(st.datetimes(timezones=st.just(UTC)), st.from_regex(r"\A[a-z]{3}_[0-9a-f]{24}\Z"))
def test_a_cursor_comes_back_as_it_went(moment: datetime, row_id: str) -> None:
    cursor = paging.encode(Merchant(id=row_id, created_at=moment))
    assert paging.decode(cursor) == (moment, row_id)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_that_is_none_in_utc_is_refused(moment: str) -> None:
    cursor = base64.urlsafe_b64encode(f"{moment} try_0".encode()).decode()
    with pytest.raises(Problem) as caught:
        paging.decode(cursor)
    assert caught.value.code == "bad_cursor"


@given(st.text(max_size=60))
def test_nonsense_is_refused_in_words(cursor: str) -> None:
    with pytest.raises(Problem) as caught:
        paging.decode(cursor)
    assert caught.value.code == "bad_cursor"
