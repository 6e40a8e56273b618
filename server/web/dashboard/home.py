"""The dashboard's first page: setup steps, the last 24 hours in numbers, the engine's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template, url_for
from redis.exceptions import RedisError

from server.auth import allow
from server.domain import try_ons, usage
from server.domain.usage import Stock
from server.infra import engines
from server.infra.caller import Caller
from server.infra.engines import EnginePresence
from server.infra.services import current_services
from server.models import Site
from server.rendering import dashboard_fragments
from server.rendering.words import dashboard as said
from server.rendering.words.dashboard import StepWords
from server.web.dashboard import scope, snippets

LATEST = 5


@dataclass(frozen=True, slots=True)
class Step:
    """One setup step before shoppers can use the fitting room."""

    words: StepWords
    url: str
    done: bool
    code: str | None = None


@allow("user")
def home(caller: Caller) -> str:
    services = current_services()
    sites, site = scope.choose(caller, None)
    latest = try_ons.listing(services, caller, limit=LATEST).rows
    stock, day = usage.stock(services, caller), usage.day(services, caller)
    with services.read() as session:
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
