"""Queue lengths by merchant, site and address, counted from rows so that they hold without Redis.

Owns these queries and the limit per shopper; `fair_share` decides whether there is room.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from gpu_worker.contract import Lane, PhotoStatus, TryOnStatus
from server.domain.fair_share import Place
from server.infra.caller import Caller
from server.infra.errors import RETRY_AFTER_S, Code, Problem
from server.models import Photo, TryOn


def try_ons(session: Session, engine: str, lane: Lane = Lane.LIVE) -> dict[Place, int]:
    """Try-ons that wait for an engine in one lane."""
    waits = (TryOn.engine == engine) & (TryOn.status == TryOnStatus.QUEUED)
    return _counted(session, TryOn, waits & (TryOn.lane == lane))


def photos(session: Session) -> dict[Place, int]:
    """Photos whose check waits or runs."""
    return _counted(session, Photo, Photo.status == PhotoStatus.CHECKING)


def refuse_more_than(
    most: int,
    session: Session,
    caller: Caller,
    model: type[Photo | TryOn],
    unfinished: ColumnElement[bool],
    *,
    code: Code,
) -> None:
    """Raises `Problem` of this code for a shopper with `most` unfinished rows. Backends and users
    have no such limit."""
    if caller.kind != "shopper":
        return
    mine = select(func.count()).where(model.shopper_id == caller.shopper_id, unfinished)
    if (session.scalar(mine) or 0) >= most:
        raise Problem(code, retry_after_s=RETRY_AFTER_S)


def _counted(
    session: Session, model: type[Photo | TryOn], waits: ColumnElement[bool]
) -> dict[Place, int]:
    place = (model.merchant_id, model.site_id, model.asked_from)
    rows = session.execute(select(*place, func.count()).where(waits).group_by(*place))
    return {(merchant, site, asked_from): count for merchant, site, asked_from, count in rows}
