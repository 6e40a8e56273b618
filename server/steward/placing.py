"""Keeps the place and the time on every queued row of an engine true, and tells of changes.

The order is the queue's own (`jobs.line`); the pace is learned from the rows.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gpu_worker.contract import Lane, Nudge, TryOnStatus
from server import pace
from server.models import TryOn
from server.nudges import Owner
from server.services import Services
from server.steward.places import Place, moved


def place_engine(services: Services, engine: str, now: datetime) -> list[Nudge]:
    """Writes what moved in one engine's queue; the nudges are for after the commit.

    Raises:
        RedisError, Unavailable: nothing was changed.
    """
    with services.read() as session:
        told = _told(session, engine)
        if not told:
            return []
        learned = pace.learn(session, engine, services.jobs.batch_size(engine), now)
    news = moved(told, _positions(services, engine), learned)
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
