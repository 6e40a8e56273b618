"""Keeps the place and the time on every queued row of an engine true, and tells of changes.

The order is the queue's own (`jobs.line`); the pace is learned from the rows.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gpu_worker.contract import Lane, Nudge, TryOnStatus
from server.models import TryOn
from server.nudges import Owner
from server.services import Services
from server.steward.places import Pace, Place, moved, usual

RECENT = 20
RECENT_FOR = timedelta(hours=1)


def place_engine(services: Services, engine: str, now: datetime) -> list[Nudge]:
    """Writes what moved in one engine's queue; the nudges are for after the commit.

    Raises:
        RedisError, Unavailable: nothing was changed.
    """
    with services.read() as session:
        told = _told(session, engine)
        if not told:
            return []
        pace = _pace(session, engine, services.jobs.batch_size(engine), now)
    news = moved(told, _positions(services, engine), pace)
    if not news:
        return []
    with services.database.session_scope() as session:
        return [
            nudge for row_id, place in news.items() if (nudge := _write(session, row_id, place))
        ]


def engines_that_wait(services: Services) -> set[str]:
    with services.read() as session:
        query = select(TryOn.engine).where(TryOn.status == TryOnStatus.QUEUED).distinct()
        return set(session.scalars(query))


def _told(session: Session, engine: str) -> dict[str, Place]:
    query = select(TryOn.id, TryOn.position, TryOn.eta_s).where(
        TryOn.engine == engine, TryOn.status == TryOnStatus.QUEUED
    )
    return {row_id: Place(position, eta) for row_id, position, eta in session.execute(query)}


def _positions(services: Services, engine: str) -> dict[str, int]:
    """Live before bulk."""
    live = services.jobs.line(engine, Lane.LIVE)
    bulk = services.jobs.line(engine, Lane.BULK).positions()
    return live.positions() | {row_id: place + live.depth for row_id, place in bulk.items()}


def _pace(session: Session, engine: str, slots: int, now: datetime) -> Pace:
    of_engine = select(TryOn.started_at, TryOn.finished_at).where(TryOn.engine == engine)
    recent = session.execute(
        of_engine.where(TryOn.status == TryOnStatus.SUCCEEDED, TryOn.created_at > now - RECENT_FOR)
        .order_by(TryOn.created_at.desc())
        .limit(RECENT)
    )
    durations = [(end - start).total_seconds() for start, end in recent if start and end]
    running = session.execute(of_engine.where(TryOn.status == TryOnStatus.RUNNING))
    elapsed = [(now - start).total_seconds() for start, _ in running if start]
    return Pace(max(1, slots), usual(durations), elapsed)


def _write(session: Session, row_id: str, place: Place) -> Nudge | None:
    """None where the row is no longer queued."""
    change = (
        update(TryOn)
        .where(TryOn.id == row_id, TryOn.status == TryOnStatus.QUEUED)
        .values(position=place.position, eta_s=place.eta_s, version=TryOn.version + 1)
        .returning(TryOn.version, TryOn.merchant_id, TryOn.site_id, TryOn.shopper_id)
        .execution_options(synchronize_session=False)
    )
    row = session.execute(change).first()
    return row and Nudge(row_id, row[0], str(Owner(row[1], row[2], row[3])))
