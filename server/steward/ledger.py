"""Applies events to rows: many events in one transaction, each row by compare-and-set.

Each noun decides how an event changes its row (`Jobs.change`). Must not know Redis and the store.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gpu_worker.contract import ContractError, Event, EventType, Nudge, Subject
from server.domain.transitions import write
from server.infra import nudges
from server.infra.kinds import KINDS, AnyJobs, AnyKind, Change, RowWithJob, Values
from server.models import DoomedObject

log = logging.getLogger(__name__)

TRIES = 5


class ContestedError(Exception):
    """The compare-and-set of a row failed TRIES times; its events are read and applied again."""


@dataclass(slots=True)
class Settled:
    """Result of a transaction, for after its commit. `nudges`: to publish; `engines`: whose queues
    moved; `due`: rows whose next job must be enqueued; `unreadable`: events that were dropped."""

    nudges: list[Nudge] = field(default_factory=list)
    engines: set[str] = field(default_factory=set)
    due: list[tuple[AnyJobs, RowWithJob]] = field(default_factory=list)
    unreadable: int = 0

    def add(self, other: Settled) -> None:
        self.nudges += other.nudges
        self.engines |= other.engines
        self.due += other.due
        self.unreadable += other.unreadable


def settle_events(session: Session, events: Iterable[Event], now: datetime) -> Settled:
    """Applies a batch of events: in order per row, with one write per row.

    Raises:
        ContestedError: a row kept changing concurrently; the caller must roll everything back.
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
    kind, jobs = KINDS.of_subject(subject)
    # Each round reads the rows again and retries those whose compare-and-set failed.
    for _ in range(TRIES):
        rows = _read(session, kind, list(batches))
        batches = {
            row_id: batch
            for row_id, batch in batches.items()
            if not _settle_row(session, kind, jobs, rows.get(row_id), batch, now, settled)
        }
        if not batches:
            return
    raise ContestedError(f"{subject.value} {', '.join(sorted(batches))}")


def _read(session: Session, kind: AnyKind, ids: Sequence[str]) -> dict[str, RowWithJob]:
    """The rows, detached from the session: changing one must not write it; only the
    compare-and-set writes."""
    found: dict[str, RowWithJob] = {}
    model = kind.model
    for start in range(0, len(ids), 500):
        query = select(model).where(model.id.in_(ids[start : start + 500]))
        for row in session.scalars(query):
            session.expunge(row)
            found[row.id] = row
    return found


def _settle_row(
    session: Session,
    kind: AnyKind,
    jobs: AnyJobs,
    row: RowWithJob | None,
    batch: list[Event],
    now: datetime,
    settled: Settled,
) -> bool:
    """Applies a batch to one row. False if the row has changed since it was read."""
    if row is None:
        doom(session, [key for event in batch for key in _leftovers(kind, event)], now)
        return True
    seen = row.status, row.version
    change, unreadable = _together(jobs, row, batch, now)
    if change.values:
        if not _compare_and_set(session, kind, row, seen, change.values):
            return False
        settled.nudges.append(nudges.of(row))
        if jobs.has_place and row.status is not seen[0]:
            settled.engines.add(jobs.places(row)[0][0])
        if change.goes_on:
            settled.due.append((jobs, row))
    settled.unreadable += unreadable
    doom(session, change.doomed, now)
    return True


def _leftovers(kind: AnyKind, event: Event) -> list[str]:
    """Objects that a worker may have stored for a row that is deleted. Also after an end without a
    result: an earlier worker may have stored something and died before it reported that."""
    return [] if event.type is EventType.RUNNING else kind.keys(event.id)


def _together(
    jobs: AnyJobs, row: RowWithJob, batch: list[Event], now: datetime
) -> tuple[Change, int]:
    """The sum of a batch's changes to one row, and how many events broke the contract. Updates the
    detached row, so that each event sees the ones before it."""
    total, unreadable = Change(), 0
    for event in batch:
        try:
            change = jobs.change(row, event, now)
        except ContractError as error:
            log.error("unreadable event for %s: %s", row.id, error)
            unreadable += 1
            continue
        write(row, change.values)
        total.add(change)
    return total, unreadable


def _compare_and_set(
    session: Session, kind: AnyKind, row: RowWithJob, seen: tuple[object, int], values: Values
) -> bool:
    status, version = seen
    row.version = version + 1
    columns = kind.model
    change = (
        update(columns)
        .where(columns.id == row.id, columns.status == status, columns.version == version)
        .values(**values, version=row.version)
        .execution_options(synchronize_session=False)
    )
    result: Any = session.execute(change)
    return bool(result.rowcount == 1)


def doom(session: Session, keys: Iterable[str], now: datetime) -> None:
    """Adds objects to the outbox of deletions, in this transaction."""
    for key in dict.fromkeys(keys):
        session.merge(DoomedObject(key=key, due_at=now))
