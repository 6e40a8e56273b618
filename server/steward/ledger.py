"""Writes what events make of the rows: many events in one transaction, by compare-and-set.

Knows the session and the rules of `settle`; no Redis and no store.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gpu_worker.contract import ContractError, Event, Nudge, Subject
from server.infra import nudges
from server.models import DoomedObject, Garment, Photo, TryOn
from server.steward import settle

log = logging.getLogger(__name__)

Row = TryOn | Photo | Garment
TRIES = 5

_MODELS: dict[Subject, Any] = {
    Subject.TRY_ON: TryOn,
    Subject.PHOTO: Photo,
    Subject.GARMENT: Garment,
}
_RULES: dict[Subject, Callable[[Any, Event, datetime], settle.Change]] = {
    Subject.TRY_ON: settle.try_on_change,
    Subject.PHOTO: settle.photo_change,
    Subject.GARMENT: settle.garment_change,
}


class ContestedError(Exception):
    """A row changed under our hands again and again; its events are read another time."""


@dataclass(slots=True)
class Settled:
    """What a transaction did: whom to nudge after its commit, whose queue moved, which garments
    the tailor may begin with, what was odd."""

    nudges: list[Nudge] = field(default_factory=list)
    engines: set[str] = field(default_factory=set)
    fetched: list[Garment] = field(default_factory=list)
    unreadable: int = 0

    def add(self, other: Settled) -> None:
        self.nudges += other.nudges
        self.engines |= other.engines
        self.fetched += other.fetched
        self.unreadable += other.unreadable


def settle_events(session: Session, events: Iterable[Event], now: datetime) -> Settled:
    """Applies events, in order for each row, each row once.

    Raises:
        ContestedError: somebody else kept changing a row; nothing of this is committed then.
    """
    settled = Settled()
    by_row: defaultdict[tuple[Subject, str], list[Event]] = defaultdict(list)
    for event in events:
        by_row[event.subject, event.id].append(event)
    for subject in Subject:
        _settle_subject(
            session,
            subject,
            {row_id: batch for (kind, row_id), batch in by_row.items() if kind is subject},
            now,
            settled,
        )
    return settled


def _settle_subject(
    session: Session,
    subject: Subject,
    batches: dict[str, list[Event]],
    now: datetime,
    settled: Settled,
) -> None:
    for _ in range(TRIES):
        rows = _read(session, _MODELS[subject], list(batches))
        batches = {
            row_id: batch
            for row_id, batch in batches.items()
            if not _settle_row(session, rows.get(row_id), batch, now, settled)
        }
        if not batches:
            return
    raise ContestedError(f"{subject.value} {', '.join(sorted(batches))}")


def _read(session: Session, model: Any, ids: Sequence[str]) -> dict[str, Row]:
    """The rows, detached: rules may look at them, and only a compare-and-set changes one."""
    found: dict[str, Row] = {}
    for start in range(0, len(ids), 500):
        query = select(model).where(model.id.in_(ids[start : start + 500]))
        for row in session.scalars(query):
            session.expunge(row)
            found[row.id] = row
    return found


def _settle_row(
    session: Session, row: Row | None, batch: list[Event], now: datetime, settled: Settled
) -> bool:
    """False where the row changed since it was read."""
    if row is None:
        doom(session, [key for event in batch for key in settle.leftovers(event)], now)
        return True
    seen = row.status, row.version
    change, unreadable = _together(row, batch, now)
    if change.values:
        if not _compare_and_set(session, row, seen, change.values):
            return False
        settled.nudges.append(nudges.of(row))
        if isinstance(row, TryOn) and row.status is not seen[0]:
            settled.engines.add(row.engine)
        if isinstance(row, Garment) and "upload_key" in change.values:
            settled.fetched.append(row)
    settled.unreadable += unreadable
    doom(session, change.doomed, now)
    return True


def _together(row: Row, batch: list[Event], now: datetime) -> tuple[settle.Change, int]:
    """What all events of a batch make of one row, and how many of them made no sense."""
    total, unreadable = settle.Change(), 0
    for event in batch:
        try:
            change = _RULES[event.subject](row, event, now)
        except ContractError as error:
            log.error("unreadable event for %s: %s", row.id, error)
            unreadable += 1
            continue
        for name, value in change.values.items():
            setattr(row, name, value)
        total.values |= change.values
        total.doomed += change.doomed
    return total, unreadable


def _compare_and_set(
    session: Session, row: Row, seen: tuple[Any, int], values: dict[str, Any]
) -> bool:
    status, version = seen
    row.version = version + 1
    columns: Any = type(row)
    change = (
        update(type(row))
        .where(columns.id == row.id, columns.status == status, columns.version == version)
        .values(**values, version=row.version)
        .execution_options(synchronize_session=False)
    )
    result: Any = session.execute(change)
    return bool(result.rowcount == 1)


def doom(session: Session, keys: Iterable[str], now: datetime) -> None:
    """Notes objects that must vanish from the store."""
    for key in dict.fromkeys(keys):
        session.merge(DoomedObject(key=key, due_at=now))
