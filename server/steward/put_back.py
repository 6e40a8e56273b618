"""Puts back what Redis lost: every unfinished row must have a job that waits or is leased.

The rows are the truth. A job is called lost only when it was missing twice in a row while its
row did not change, so that one which is just being settled is left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gpu_worker.contract import (
    TAILOR,
    GarmentStatus,
    Job,
    Lane,
    PhotoStatus,
    Reason,
    TryOnStatus,
    queue_name,
)
from server import garments, photos, try_ons
from server.errors import Unavailable
from server.models import Garment, Photo, TryOn
from server.services import Services, Work

log = logging.getLogger(__name__)

LOCK = "proteus:steward:put-back"
LOCK_MS = 5000


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A row that must have a job."""

    model: Any
    id: str
    version: int
    status: Any
    merchant_id: str
    engine: str = TAILOR
    lane: Lane = Lane.LIVE

    @property
    def queue(self) -> str:
        return queue_name(self.engine, self.lane, self.merchant_id)


class PutBack:
    """Remembers what was missing the last time it looked. `run` raises RedisError, Unavailable."""

    def __init__(self, services: Services, lost_after_s: float):
        self._services = services
        self._lost_after = timedelta(seconds=lost_after_s)
        self._missed: set[tuple[str, int]] = set()

    def run(self, now: datetime) -> int:
        """One look; the number of jobs put back. Only one steward looks at a time."""
        if not self._services.redis.set(LOCK, "1", nx=True, px=LOCK_MS):
            return 0
        try:
            return self._look(now)
        finally:
            self._services.redis.delete(LOCK)

    def _look(self, now: datetime) -> int:
        with self._services.read() as session:
            rows = _unfinished(session, now - self._lost_after)
        jobs = self._services.jobs
        jobs.rejoin({(row.engine, row.lane, row.merchant_id) for row in rows})
        standing = jobs.standing({row.queue for row in rows})
        missing = [row for row in rows if row.id not in standing]
        lost = [row for row in missing if (row.id, row.version) in self._missed]
        self._missed = {(row.id, row.version) for row in missing}
        return sum(self._try_to_return(row, now) for row in lost)

    def _try_to_return(self, seen: Unfinished, now: datetime) -> bool:
        try:
            return self._return(seen, now)
        except (RedisError, Unavailable, SQLAlchemyError):
            raise
        except Exception:
            log.exception("%s cannot be put back", seen.id)  # and must not keep the others
            return False

    def _return(self, seen: Unfinished, now: datetime) -> bool:
        """The row first, so that a worker that is quick finds it queued."""
        with self._services.work(now, buries=False) as work:
            row = work.session.get(seen.model, seen.id, with_for_update=True)
            if row is None or (row.version, row.status) != (seen.version, seen.status):
                return False
            job = _JOBS[seen.model](work, row)
        if job is None:
            return False
        log.warning("%s had neither job nor lease and is put back", seen.id)
        jobs = self._services.jobs
        put = jobs.enqueue(job, seen.engine, seen.lane)
        if not put and seen.id not in jobs.standing([seen.queue]):
            jobs.enqueue(job, seen.engine, seen.lane, anew=True)  # RQ knew an earlier run of it
        return True


def _unfinished(session: Session, before: datetime) -> list[Unfinished]:
    return [
        *_rows(session, TryOn, try_ons.UNFINISHED, before, (TryOn.engine, TryOn.lane)),
        *_rows(session, Photo, (PhotoStatus.CHECKING,), before),
        *_rows(session, Garment, (GarmentStatus.CLEANING,), before),
    ]


def _rows(
    session: Session,
    model: Any,
    statuses: Iterable[Any],
    before: datetime,
    where_queued: tuple[Any, ...] = (),
) -> list[Unfinished]:
    query = select(model.id, model.version, model.status, model.merchant_id, *where_queued)
    query = query.where(model.status.in_(list(statuses)), model.queued_at < before)
    return [Unfinished(model, *row) for row in session.execute(query)]


def _try_on_job(work: Work, row: TryOn) -> Job | None:
    """Its job; one that ran starts over, one whose garment was deleted meanwhile has failed."""
    photo = work.session.get(Photo, row.photo_id) if row.photo_id else None
    garment = work.session.get(Garment, row.garment_id) if row.garment_id else None
    if photo is None or garment is None:
        row.status, row.finished_at = TryOnStatus.FAILED, work.now
        row.error_code, row.position = Reason.GARMENT_NOT_FOUND.value, None
        work.nudge(row)
        return None
    if row.status is TryOnStatus.RUNNING:
        row.status, row.step, row.steps, row.started_at = TryOnStatus.QUEUED, 0, 0, None
        work.nudge(row)
    return try_ons.job_of(row, photo, garment)


_JOBS: dict[Any, Callable[[Work, Any], Job | None]] = {
    TryOn: _try_on_job,
    Photo: lambda _, row: photos.job_of(row),
    Garment: lambda _, row: garments.job_of(row),
}
