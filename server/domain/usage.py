"""Read-only statistics: a merchant's numbers for the dashboard, all merchants' for operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from gpu_worker.contract import GarmentStatus, TryOnStatus
from server.infra.caller import Caller
from server.infra.services import Services
from server.models import Garment, TryOn, now


@dataclass(frozen=True, slots=True)
class Day:
    """Try-ons of the last 24 hours: how many, per cent succeeded (None if none has ended), median
    seconds (None if none has succeeded)."""

    asked: int
    succeeded_share: int | None
    median_s: float | None


@dataclass(frozen=True, slots=True)
class Stock:
    """Numbers of garments, by status."""

    all: int
    ready: int
    rejected: int


class Kept(NamedTuple):
    """How many try-ons of one engine have one status, and when the first of them was queued."""

    engine: str
    status: TryOnStatus
    number: int
    queued_at: datetime


def stock(services: Services, caller: Caller) -> Stock:
    """Counts a merchant's garments."""
    query = select(Garment.status, func.count()).where(Garment.merchant_id == caller.merchant_id)
    with services.read() as session:
        counts = dict(session.execute(query.group_by(Garment.status)).all())
    return Stock(
        sum(counts.values()),
        counts.get(GarmentStatus.READY, 0),
        counts.get(GarmentStatus.REJECTED, 0),
    )


def day(services: Services, caller: Caller) -> Day:
    """Numbers of a merchant's live try-ons; those made with test keys are left out."""
    mine = (
        (TryOn.merchant_id == caller.merchant_id)
        & (TryOn.mode == "live")
        & (TryOn.created_at > now() - timedelta(hours=24))
    )
    query = select(TryOn.status, func.count()).where(mine).group_by(TryOn.status)
    with services.read() as session:
        counts = dict(session.execute(query).all())
        succeeded = counts.get(TryOnStatus.SUCCEEDED, 0)
        median_ms = _median_ms(session, mine, succeeded) if succeeded else None
    # Cancelled ones count neither as a success nor as a failure.
    ended = sum(counts.get(s, 0) for s in TryOnStatus if s.is_final and s != TryOnStatus.CANCELLED)
    return Day(
        sum(counts.values()),
        round(100 * succeeded / ended) if ended else None,
        median_ms / 1000 if median_ms is not None else None,
    )


def _median_ms(session: Session, mine: ColumnElement[bool], succeeded: int) -> int | None:
    done = mine & (TryOn.status == TryOnStatus.SUCCEEDED) & TryOn.total_ms.is_not(None)
    # The middle row, because SQLite has no median function.
    middle = select(TryOn.total_ms).where(done).order_by(TryOn.total_ms)
    return session.scalar(middle.offset(succeeded // 2).limit(1))


def kept_try_ons(services: Services) -> Sequence[Kept]:
    """Counts all merchants' try-ons that have a row, by engine and status."""
    query = select(TryOn.engine, TryOn.status, func.count(), func.min(TryOn.queued_at))
    with services.read() as session:
        rows = session.execute(query.group_by(TryOn.engine, TryOn.status)).all()
    return [Kept(*row) for row in rows]
