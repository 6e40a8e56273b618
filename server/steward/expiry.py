"""Timeouts and deletion: overdue rows, expired rows of every noun, shoppers, unclaimed uploads,
idempotency keys, dashboard sessions, and objects in the outbox of deletions.

Each function handles a bounded batch and returns its size; the next run takes the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from server.domain import dashboard_sessions, shoppers, uploads
from server.infra.errors import Unavailable
from server.infra.kinds import KINDS, AnyJobs, RowWithJob
from server.infra.services import Services, Work
from server.models import Base, DashboardSession, DoomedObject, IdempotencyKey, Shopper, Upload

R = TypeVar("R", bound=Base)
log = logging.getLogger(__name__)

AT_ONCE = 100  # rows of one table in a transaction
DOOMED_AT_ONCE = 500
REPEATABLE_FOR = timedelta(hours=24)  # life of an idempotency key
FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 3600.0


# --- never finished ------------------------------------------------------------------------------


def end_overdue(services: Services, now: datetime) -> int:
    """Ends rows of every noun that were queued PROTEUS_TRY_ON_TIMEOUT_S ago and are unfinished."""
    before = now - timedelta(seconds=services.settings.try_on_timeout_s)
    overdue = 0
    for kind, jobs in KINDS.with_jobs():
        model = kind.model
        due = model.status.in_(jobs.unfinished) & (model.queued_at <= before)
        overdue += _each_due(services, now, model, due, partial(_end, jobs))
    return overdue


def _end(jobs: AnyJobs, work: Work, row: RowWithJob) -> None:
    jobs.end(work, row)
    work.nudge(row)


def _each_due(
    services: Services,
    now: datetime,
    model: type[R],
    due: ColumnElement[bool],
    act: Callable[[Work, R], None],
) -> int:
    """Applies `act` to a batch of due rows in one transaction; returns how many.

    Counts first without a lock: SQLite has one writer at a time, and mostly nothing is due.
    """
    with services.read() as session:
        if session.scalar(select(func.count()).select_from(model).where(due)) == 0:
            return 0
    with services.work(now, buries=False) as work:
        # Rows that a request or another steward has locked are left for the next run.
        query = select(model).where(due).limit(AT_ONCE).with_for_update(skip_locked=True)
        rows = list(work.session.scalars(query))
        for row in rows:
            act(work, row)
    return len(rows)


# --- past its time -------------------------------------------------------------------------------


def expire(services: Services, now: datetime) -> int:
    """Deletes what has expired, in the same way as its owner would."""
    unrepeatable = IdempotencyKey.created_at <= now - REPEATABLE_FOR
    over = dashboard_sessions.is_over(now)
    expired = _each_due(
        services, now, Shopper, Shopper.expires_at <= now, shoppers.delete_with_objects
    )
    for kind in KINDS:
        if (life := kind.lifetime) is not None:
            expired += _each_due(services, now, kind.model, life.is_over(now), life.delete)
    expired += _each_due(
        services, now, Upload, Upload.expires_at <= now, uploads.delete_with_objects
    )
    expired += _each_due(services, now, IdempotencyKey, unrepeatable, _forget)
    expired += _each_due(services, now, DashboardSession, over, _forget)
    return expired


def _forget(work: Work, row: IdempotencyKey | DashboardSession) -> None:
    work.session.delete(row)


# --- doomed objects ------------------------------------------------------------------------------


def delete_objects(services: Services, now: datetime) -> int:
    """Deletes objects that are in the outbox and due. On failure the batch is due again later, with
    exponential back-off.

    Raises:
        Unavailable: the store is away or refused some; the batch is rescheduled all the same.
    """
    with services.read() as session:
        due = select(DoomedObject.key).where(DoomedObject.due_at <= now)
        keys = list(session.scalars(due.order_by(DoomedObject.due_at).limit(DOOMED_AT_ONCE)))
    if not keys:
        return 0
    try:
        services.store.delete(keys)
    except Unavailable:
        with services.database.session_scope() as session:
            _put_off(session, keys, now)
        raise
    with services.database.session_scope() as session:
        session.execute(delete(DoomedObject).where(DoomedObject.key.in_(keys)))
    return len(keys)


def _put_off(session: Session, keys: list[str], now: datetime) -> None:
    for doomed in session.scalars(select(DoomedObject).where(DoomedObject.key.in_(keys))):
        rest_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(doomed.tries, 20))
        doomed.tries, doomed.due_at = doomed.tries + 1, now + timedelta(seconds=rest_s)
