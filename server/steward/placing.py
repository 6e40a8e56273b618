"""Keeps queue position and expected time on an engine's unfinished rows up to date.

Positions come from the queue (`infra.jobs`), times from the engine's pace (`try_ons.pace`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gpu_worker.contract import Lane, Nudge, TryOnStatus
from server.domain.try_ons import lifecycle, pace
from server.domain.try_ons.lifecycle import UNFINISHED
from server.infra.nudges import Owner
from server.infra.services import Services
from server.models import TryOn
from server.steward.places import Place, moved


def place_engine(
    services: Services, engine: str, now: datetime, since: datetime | None = None
) -> list[Nudge]:
    """Updates the places of one engine's try-ons that have moved. `since`: when it last ran.

    Returns:
        The nudges to publish; the rows are committed.

    Raises:
        RedisError, Unavailable: nothing was changed.
    """
    with services.read() as session:
        rows = _unfinished(session, engine)
        if not rows:
            return []
        learned = pace.learn(session, engine, services.jobs.policy(engine), now)
    positions = _positions(services, engine, rows)
    news = moved(_told(rows), positions, _left_s(rows, learned, now), learned, now, since)
    if not news:
        return []
    with services.database.session_scope() as session:
        written = [_write(session, row, news[row.id]) for row in rows if row.id in news]
    return [nudge for nudge in written if nudge is not None]


def engines_that_wait(services: Services) -> set[str]:
    """The engines that have unfinished try-ons."""
    with services.read() as session:
        query = select(TryOn.engine).where(TryOn.status.in_(UNFINISHED)).distinct()
        return set(session.scalars(query))


def _unfinished(session: Session, engine: str) -> Sequence[TryOn]:
    rows = session.scalars(
        select(TryOn).where(TryOn.engine == engine, TryOn.status.in_(UNFINISHED))
    ).all()
    session.expunge_all()
    return rows


def _told(rows: Sequence[TryOn]) -> dict[str, Place]:
    return {row.id: Place(row.position, row.ready_at) for row in rows}


def _left_s(rows: Sequence[TryOn], learned: pace.Pace, now: datetime) -> dict[str, float]:
    if learned.picture_s is None:
        return {}
    running = [row for row in rows if row.status is TryOnStatus.RUNNING]
    return {row.id: pace.left_s(row, learned.picture_s, now) for row in running}


def _positions(services: Services, engine: str, rows: Sequence[TryOn]) -> dict[str, int]:
    """Positions over both lanes: claimed jobs that have not begun, then live, then bulk."""
    claimed = services.jobs.claimed(engine)
    # Claimed jobs are in no queue any more: they keep the order that they had while they waited.
    waiting = sorted((row for row in rows if row.status is TryOnStatus.QUEUED), key=_rank)
    order = [row.id for row in waiting if row.id in claimed]
    for lane in Lane:
        line = services.jobs.line(engine, lane).positions()
        order += sorted(line.keys() - claimed, key=line.__getitem__)
    return {row_id: place for place, row_id in enumerate(order, start=1)}


def _rank(row: TryOn) -> tuple[float, datetime]:
    return row.position or math.inf, row.queued_at


def _write(session: Session, row: TryOn, place: Place) -> Nudge | None:
    """Compare-and-set on the status; None if the row has moved on meanwhile."""
    change = (
        update(TryOn)
        .where(TryOn.id == row.id, TryOn.status == row.status)
        .values(**lifecycle.placed(place.position, place.ready_at), version=TryOn.version + 1)
        .returning(TryOn.version, TryOn.merchant_id, TryOn.site_id, TryOn.shopper_id)
        .execution_options(synchronize_session=False)
    )
    told = session.execute(change).first()
    return told and Nudge(row.id, told[0], str(Owner(told[1], told[2], told[3])))
