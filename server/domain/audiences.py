"""Topics of the live feed: which channels a row's changes go to, and which rows a channel shows.

Reads rows through the registry of nouns; must not know a single noun, a socket or Redis.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from server.infra.caller import Caller
from server.infra.kinds import KINDS, Audience, Row
from server.infra.nudges import Owner, owner_of
from server.models import Base

STATE_ROWS = 100  # the newest rows of each kind; no page shows more


def channel_of(caller: Caller) -> str:
    """The one channel that a caller's sockets subscribe to."""
    if caller.kind == "shopper":
        return f"shopper:{caller.shopper_id}"
    if caller.kind == "secret":
        return f"site:{caller.site_id}:{caller.mode}"
    return f"merchant:{caller.merchant_id}"


def channels_for(row: Row) -> list[str]:
    """The channels that a change of this row is sent to. A garment goes to its site and merchant; a
    shopper gets her own rows and nothing else."""
    # A row without a mode of its own (a garment) concerns the site's live and test callers.
    modes = (row.mode,) if hasattr(row, "mode") else ("live", "test")
    return channels_of(row.id, owner_of(row), modes)


def channels_of(row_id: str, owner: Owner, modes: Sequence[str] = ("live", "test")) -> list[str]:
    """The same for a row that may be deleted already, from its id and owner. A shopper's photo is
    sent to her channel alone; an unknown kind of id to none."""
    kind = KINDS.of_id(row_id)
    if kind is None or kind.live is None:
        return []
    by_audience: dict[Audience, list[str]] = {
        "merchant": [f"merchant:{owner.merchant_id}"],
        "site": [f"site:{owner.site_id}:{mode}" for mode in modes],
        "shopper": [f"shopper:{owner.shopper_id}"] if owner.shopper_id else [],
    }
    if owner.shopper_id and kind.model.hers_alone:
        return by_audience["shopper"]
    heard = [channels for who, channels in by_audience.items() if who in kind.live.audiences]
    return [channel for channels in heard for channel in channels]


def by_id(session: Session, ids: Iterable[str]) -> dict[str, Row]:
    """Rows of any noun by id; ids that have no row are left out."""
    wanted: defaultdict[str, list[str]] = defaultdict(list)
    for row_id in ids:
        wanted[row_id.partition("_")[0]].append(row_id)
    found: dict[str, Row] = {}
    for kind in KINDS:
        for start in range(0, len(wanted[kind.prefix]), 500):  # databases limit parameters
            some = wanted[kind.prefix][start : start + 500]
            query = select(kind.model).where(kind.model.id.in_(some))
            found |= {row.id: row for row in session.scalars(query)}
    return found


def state(session: Session, channel: str, now: datetime) -> list[Row]:
    """The rows that a channel shows: per kind, at most STATE_ROWS, oldest first. Most kinds leave
    out rows older than 24 h (`Live.told_for`)."""
    rows: list[Row] = []
    for kind, live in KINDS.heard_by(channel.partition(":")[0]):
        model = kind.model
        query = select(model).where(*_in_channel(model, channel))
        if live.told_for is not None:
            query = query.where(model.created_at > now - live.told_for)
        newest = session.scalars(query.order_by(model.created_at.desc()).limit(STATE_ROWS))
        rows += [row for row in reversed(newest.all()) if not is_gone(row)]
    return rows


def state_of_shoppers(session: Session, ids: Sequence[str], now: datetime) -> list[Row]:
    """The rows that these shoppers' channels show, in one query per kind and without STATE_ROWS."""
    rows: list[Row] = []
    for kind, live in KINDS.heard_by("shopper"):
        model = kind.model
        query = select(model).where(model.shopper_id.in_(ids))
        if live.told_for is not None:
            query = query.where(model.created_at > now - live.told_for)
        rows += [row for row in session.scalars(query) if not is_gone(row)]
    return rows


def is_gone(row: Row) -> bool:
    """Whether the row is a tombstone."""
    return getattr(row, "deleted_at", None) is not None


def _in_channel(model: type[Base], channel: str) -> list[ColumnElement[bool]]:
    kind, _, name = channel.partition(":")
    columns = model.__table__.c
    if kind == "shopper":
        return [columns.shopper_id == name]
    if kind == "merchant":
        return [columns.merchant_id == name]
    site_id, _, mode = name.partition(":")
    narrowed = [columns.mode == mode] if "mode" in columns else []
    narrowed += [columns.shopper_id.is_(None)] if model.hers_alone else []
    return [columns.site_id == site_id, *narrowed]
