"""Lets go of what is due: try-ons that never finished, photos and pictures past their time,
shoppers, uploads nobody took over, answers kept for repetition, sessions of the dashboard, and
objects already doomed.

Each act takes a bounded number of rows and returns how many; the next turn takes the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from gpu_worker.contract import GarmentStatus, PhotoJob, PhotoStatus, Reason, TryOnStatus
from server.domain import dashboard_sessions, garment_jobs, photos, shoppers, try_ons, uploads
from server.infra.errors import Unavailable
from server.infra.services import Services, Work
from server.infra.store import partial_key, picture_key
from server.models import (
    DashboardSession,
    DoomedObject,
    Garment,
    IdempotencyKey,
    Photo,
    Shopper,
    TryOn,
    Upload,
)

log = logging.getLogger(__name__)

AT_ONCE = 100
DOOMED_AT_ONCE = 500
REPEATABLE_FOR = timedelta(hours=24)
FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 3600.0


# --- never finished ------------------------------------------------------------------------------


def end_overdue(services: Services, now: datetime) -> int:
    """Ends what was put in line PROTEUS_TRY_ON_TIMEOUT_S ago and is not finished."""
    before = now - timedelta(seconds=services.settings.try_on_timeout_s)
    overdue: list[tuple[Any, Any]] = [
        (TryOn, TryOn.status.in_(try_ons.UNFINISHED) & (TryOn.queued_at <= before)),
        (Photo, (Photo.status == PhotoStatus.CHECKING) & (Photo.queued_at <= before)),
        (Garment, (Garment.status == GarmentStatus.CLEANING) & (Garment.queued_at <= before)),
    ]
    return sum(_each_due(services, now, model, due, _end) for model, due in overdue)


def _each_due(
    services: Services, now: datetime, model: Any, due: Any, act: Callable[[Work, Any], None]
) -> int:
    """Looks first without a lock: SQLite lets one process write at a time."""
    with services.read() as session:
        if session.scalar(select(func.count()).select_from(model).where(due)) == 0:
            return 0
    with services.work(now, buries=False) as work:
        query = select(model).where(due).limit(AT_ONCE).with_for_update(skip_locked=True)
        rows = list(work.session.scalars(query))
        for row in rows:
            act(work, row)
    return len(rows)


def _end(work: Work, row: TryOn | Photo | Garment) -> None:
    jobs = work.services.jobs
    if not isinstance(row, Garment):
        row.asked_from = None
    if isinstance(row, TryOn):
        place = row.id, row.engine, row.lane, row.merchant_id
        row.status, row.finished_at = TryOnStatus.EXPIRED, work.now
        row.position = row.preview_key = None
        work.doom([picture_key(row.id), partial_key(row.id)])
        work.after_commit(lambda: jobs.cancel(*place))
    elif isinstance(row, Photo):
        place = row.id, PhotoJob.ENGINE, PhotoJob.LANE, row.merchant_id
        row.status, row.reasons = PhotoStatus.REJECTED, [Reason.WORKER_LOST.value]
        work.doom([row.upload_key])
        work.after_commit(lambda: jobs.cancel(*place))
    else:
        job = garment_jobs.job_of(row)
        row.status, row.reasons = GarmentStatus.REJECTED, [Reason.WORKER_LOST.value]
        work.after_commit(lambda: garment_jobs.cancel(jobs, job))
    work.nudge(row)


# --- past its time -------------------------------------------------------------------------------


def expire(services: Services, now: datetime) -> int:
    """Deletes what may be kept no longer, as its owner would."""
    due: list[tuple[Any, Any, Callable[[Work, Any], None]]] = [
        (Shopper, Shopper.expires_at <= now, shoppers.bury),
        (Photo, Photo.expires_at <= now, photos.bury),
        (TryOn, (TryOn.expires_at <= now) & TryOn.deleted_at.is_(None), try_ons.bury),
        (Upload, Upload.expires_at <= now, uploads.bury),
        (IdempotencyKey, IdempotencyKey.created_at <= now - REPEATABLE_FOR, _forget),
        (DashboardSession, dashboard_sessions.is_over(now), _forget),
    ]
    return sum(_each_due(services, now, *which) for which in due)


def _forget(work: Work, row: IdempotencyKey | DashboardSession) -> None:
    work.session.delete(row)


# --- doomed objects ------------------------------------------------------------------------------


def bury(services: Services, now: datetime) -> int:
    """Deletes doomed objects from the store; those it refuses are due again, later each time.

    Raises:
        Unavailable: the store is away; they are due again all the same.
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
