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
    FetchJob,
    GarmentJob,
    GarmentStatus,
    Job,
    Lane,
    PhotoJob,
    PhotoStatus,
    Reason,
    TryOnStatus,
    fetch_id,
    queue_name,
)
from server.domain import garment_jobs, photos, try_ons
from server.infra.errors import Unavailable
from server.infra.services import Services, Work
from server.models import Garment, Photo, TryOn

log = logging.getLogger(__name__)

LOCK = "proteus:steward:put-back"
LOCK_MS = 5000


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A row that must have a job. `job_ids`: under which of these, `places`: in which engine's
    lane; the first is where it belongs, the others are where it may still be."""

    model: Any
    id: str
    version: int
    status: Any
    merchant_id: str
    places: tuple[tuple[str, Lane], ...]
    job_ids: frozenset[str]

    @property
    def queues(self) -> set[str]:
        return {queue_name(engine, lane, self.merchant_id) for engine, lane in self.places}


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
        jobs.rejoin({(*row.places[0], row.merchant_id) for row in rows})
        standing = jobs.standing({queue for row in rows for queue in row.queues})
        missing = [row for row in rows if not row.job_ids & standing]
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
        jobs, place = self._services.jobs, seen.places[0]
        put = jobs.enqueue(job, *place)
        if not put and job.id not in jobs.standing(seen.queues):
            jobs.enqueue(job, *place, anew=True)  # RQ knew an earlier run of it
        return True


def _unfinished(session: Session, before: datetime) -> list[Unfinished]:
    try_on_rows = _rows(session, TryOn, try_ons.UNFINISHED, before, TryOn.engine, TryOn.lane)
    photo_rows = _rows(session, Photo, (PhotoStatus.CHECKING,), before)
    cleaning, asked = (GarmentStatus.CLEANING,), (Garment.upload_key, Garment.image_url)
    return [
        *(_in_line(TryOn, row[:4], row[4:]) for row in try_on_rows),
        *(_in_line(Photo, row, (PhotoJob.ENGINE, PhotoJob.LANE)) for row in photo_rows),
        *(_garment(row) for row in _rows(session, Garment, cleaning, before, *asked)),
    ]


def _rows(
    session: Session, model: Any, statuses: Iterable[Any], before: datetime, *more: Any
) -> list[tuple[Any, ...]]:
    query = select(model.id, model.version, model.status, model.merchant_id, *more)
    query = query.where(model.status.in_(list(statuses)), model.queued_at < before)
    return [tuple(row) for row in session.execute(query)]


def _in_line(model: Any, row: tuple[Any, ...], place: tuple[Any, ...]) -> Unfinished:
    row_id, version, status, merchant_id = row
    return Unfinished(model, row_id, version, status, merchant_id, (place,), frozenset({row_id}))


def _garment(row: tuple[Any, ...]) -> Unfinished:
    """To be fetched or to be cleaned. An earlier version had all garments in the live lane."""
    row_id, version, status, merchant_id, upload_key, image_url = row
    fetch = FetchJob.ENGINE, FetchJob.LANE
    clean = GarmentJob.ENGINE, GarmentJob.LANE
    first = fetch if upload_key is None and image_url is not None else clean
    places = tuple(dict.fromkeys([first, fetch, clean, (GarmentJob.ENGINE, Lane.LIVE)]))
    job_ids = frozenset({row_id, fetch_id(row_id)})
    return Unfinished(Garment, row_id, version, status, merchant_id, places, job_ids)


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
    Garment: lambda _, row: garment_jobs.job_of(row),
}
