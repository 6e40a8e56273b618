"""Reconciles queue and rows: every unfinished row must have a job that waits or is leased.

Rows are the truth. A job counts as lost only if it was missing in two successive checks while its
row did not change; else a job that is just being settled would be enqueued again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gpu_worker.contract import each_alone, queue_name
from server.infra.errors import Unavailable
from server.infra.kinds import KINDS, AnyJobs, AnyKind, Place
from server.infra.services import Services

log = logging.getLogger(__name__)

AWAY = (RedisError, Unavailable, SQLAlchemyError)
LOCK = "proteus:steward:put-back"
LOCK_MS = 5000  # runs out by itself if the steward that holds it dies


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Snapshot of a row that must have a job. `places` and `job_ids`: `Jobs.places`, `Jobs.ids`."""

    kind: AnyKind
    jobs: AnyJobs
    id: str
    version: int
    status: object
    merchant_id: str
    places: tuple[Place, ...]
    job_ids: frozenset[str]

    @property
    def queues(self) -> set[str]:
        return {queue_name(engine, lane, self.merchant_id) for engine, lane in self.places}


class PutBack:
    """The check of one steward; holds (id, version) of what was missing in the last one.

    `lost_after_s`: younger rows are skipped, since their jobs are perhaps not enqueued yet.
    """

    def __init__(self, services: Services, lost_after_s: float):
        self._services = services
        self._lost_after = timedelta(seconds=lost_after_s)
        self._missed: set[tuple[str, int]] = set()

    def run(self, now: datetime) -> int:
        """One check; returns the number of jobs put back. A lock in Redis lets one steward check at
        a time.

        Raises:
            RedisError, Unavailable: a dependency is away.
        """
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
        return sum(self._return_each(lost, now))

    def _return_each(self, lost: Sequence[Unfinished], now: datetime) -> Iterator[bool]:
        for seen, is_back in each_alone(lost, lambda one: self._return(one, now), AWAY):
            if isinstance(is_back, Exception):
                log.error("%s cannot be put back", seen.id, exc_info=is_back)
            else:
                yield is_back

    def _return(self, seen: Unfinished, now: datetime) -> bool:
        """Commits the row before it enqueues the job: a fast worker's first event must find the row
        queued. False if the row has changed since the check, or can have no job any more."""
        with self._services.work(now, buries=False) as work:
            row = work.session.get(seen.kind.model, seen.id, with_for_update=True)
            if row is None or (row.version, row.status) != (seen.version, seen.status):
                return False
            job = seen.jobs.remake(work, row)
        if job is None:
            return False
        log.warning("%s had neither job nor lease and is put back", seen.id)
        jobs, place = self._services.jobs, seen.places[0]
        put = jobs.enqueue(job, *place)
        if not put and job.id not in jobs.standing(seen.queues):
            # RQ still holds the hash of an earlier run, and so took this one for a duplicate.
            jobs.enqueue(job, *place, anew=True)
        return True


def _unfinished(session: Session, before: datetime) -> list[Unfinished]:
    return [row for kind, jobs in KINDS.with_jobs() for row in _of(session, kind, jobs, before)]


def _of(session: Session, kind: AnyKind, jobs: AnyJobs, before: datetime) -> Iterator[Unfinished]:
    model = kind.model
    query = select(model.id, model.version, model.status, model.merchant_id, *jobs.columns)
    query = query.where(model.status.in_(jobs.unfinished), model.queued_at < before)
    for row in session.execute(query):
        seen = row.id, row.version, row.status, row.merchant_id
        yield Unfinished(kind, jobs, *seen, tuple(jobs.places(row)), jobs.ids(row.id))
