"""Keyset pagination by (created_at, id), newest first: stable while rows are added. Cursors are
opaque to callers."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from server.infra.caller import Caller, owned
from server.infra.errors import Code, Problem
from server.infra.services import Services
from server.models import Base

Row = TypeVar("Row", bound=Base)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of rows; `next_cursor` is None on the last one."""

    rows: list[Row]
    next_cursor: str | None


def listed(
    services: Services,
    caller: Caller,
    model: type[Row],
    cursor: str | None,
    limit: int,
    *only: ColumnElement[bool],
) -> Page[Row]:
    """One page of the caller's own rows that match all conditions in `only`.

    Raises:
        Problem: bad_cursor.
    """
    query = owned(select(model), model, caller).where(*only)
    with services.read() as session:
        return page(session, query, model, cursor, limit)


def page(
    session: Session,
    query: Select[Row],
    model: type[Row],
    cursor: str | None,
    limit: int,
) -> Page[Row]:
    """One page of `query`, ordered by `created_at` and `id` descending.

    Raises:
        Problem: bad_cursor.
    """
    columns = model.__table__.c
    if cursor:
        created_at, row_id = decode(cursor)
        query = query.where(
            (columns.created_at < created_at)
            | ((columns.created_at == created_at) & (columns.id < row_id))
        )
    query = query.order_by(columns.created_at.desc(), columns.id.desc())
    rows = list(session.scalars(query.limit(limit + 1)))  # one more shows that there is a next page
    more = len(rows) > limit
    return Page(rows[:limit], encode(rows[limit - 1]) if more else None)


def encode(row: Any) -> str:
    """The cursor of the page that begins after this row."""
    text = f"{row.created_at.isoformat()} {row.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[datetime, str]:
    """`created_at` and id of a cursor's row. Raises `Problem` bad_cursor for any other text."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        moment, row_id = base64.urlsafe_b64decode(padded.encode("ascii")).decode().split(" ")
        created_at = datetime.fromisoformat(moment)
        if created_at.tzinfo is None:
            raise ValueError("no zone")
        return created_at.astimezone(UTC), row_id
    except (ValueError, OverflowError, binascii.Error) as error:
        raise Problem(Code.BAD_CURSOR, param="cursor") from error
