"""The first page: what to do first, how the day went, which engine draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import render_template, url_for
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gpu_worker.contract import GarmentStatus, TryOnStatus
from server.auth import allow
from server.domain import try_ons
from server.infra import engines
from server.infra.caller import Caller
from server.infra.engines import EnginePresence
from server.infra.services import current_services
from server.models import Garment, Site, TryOn, now
from server.rendering import dashboard_fragments
from server.rendering.words import dashboard as said
from server.rendering.words.dashboard import StepWords
from server.web.dashboard import scope, snippets

LATEST = 5


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do before shoppers can use the fitting room."""

    words: StepWords
    url: str
    done: bool
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """The last 24 hours in numbers. None where nothing has finished."""

    asked: int
    succeeded_share: int | None
    median_s: float | None


@dataclass(frozen=True, slots=True)
class Stock:
    all: int
    ready: int
    rejected: int


@allow("user")
def home(caller: Caller) -> str:
    services = current_services()
    sites, site = scope.choose(caller, None)
    latest = try_ons.listing(services, caller, limit=LATEST).rows
    with services.read() as session:
        stock, day = _stock(session, caller), _day(session, caller)
        rows = dashboard_fragments.try_on_rows(session, services.store, latest)
    steps = _steps(sites, site, stock, tried=bool(latest))
    return render_template(
        "dashboard/home.html",
        steps=steps,
        next_step=next((step for step in steps if not step.done), None),
        done_count=sum(step.done for step in steps),
        day=day,
        garments=stock,
        engine=_engine(),
        rows=rows,
        most=LATEST,
        mode=None,
        first_page=True,
        next_url=None,
    )


def _engine() -> EnginePresence:
    services = current_services()
    try:
        return engines.presence(services.redis, services.settings.engine)
    except RedisError:
        return EnginePresence(services.settings.engine)


def _steps(sites: Sequence[Site], site: Site, stock: Stock, *, tried: bool) -> list[Step]:
    return [
        Step(said.ADD_GARMENT.said(), url_for("dashboard.add_garment"), stock.all > 0),
        Step(
            said.ALLOW_ORIGIN.said(),
            url_for("dashboard.install", _anchor="origins"),
            any(one.allowed_origins for one in sites),
        ),
        Step(
            said.PASTE_SNIPPET.said(),
            url_for("dashboard.install"),
            tried,
            code=snippets.script(site.live_key),
        ),
    ]


def _counts(session: Session, query: Any) -> dict[Any, int]:
    return {status: count for status, count in session.execute(query)}  # noqa: C416 - typed rows


def _stock(session: Session, caller: Caller) -> Stock:
    query = select(Garment.status, func.count()).where(Garment.merchant_id == caller.merchant_id)
    counts = _counts(session, query.group_by(Garment.status))
    return Stock(
        sum(counts.values()),
        counts.get(GarmentStatus.READY, 0),
        counts.get(GarmentStatus.REJECTED, 0),
    )


def _day(session: Session, caller: Caller) -> Day:
    """Live try-ons only: what is tried out with the test key is no shopper's."""
    mine = (
        TryOn.merchant_id == caller.merchant_id,
        TryOn.mode == "live",
        TryOn.created_at > now() - timedelta(hours=24),
    )
    query = select(TryOn.status, func.count()).where(*mine).group_by(TryOn.status)
    counts = _counts(session, query)
    ended = sum(counts.get(s, 0) for s in TryOnStatus if s.is_final and s != TryOnStatus.CANCELLED)
    succeeded = counts.get(TryOnStatus.SUCCEEDED, 0)
    done = (*mine, TryOn.status == TryOnStatus.SUCCEEDED, TryOn.total_ms.is_not(None))
    middle = select(TryOn.total_ms).where(*done).order_by(TryOn.total_ms)
    median_ms = session.scalar(middle.offset(succeeded // 2).limit(1)) if succeeded else None
    return Day(
        sum(counts.values()),
        round(100 * succeeded / ended) if ended else None,
        median_ms / 1000 if median_ms is not None else None,
    )
