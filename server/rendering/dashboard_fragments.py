"""HTML fragments of rows for a merchant: used by the dashboard's pages and by its live socket.

Must not know requests. Never shows a shopper's photo, and her picture only if she shared it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from gpu_worker.contract import GarmentStatus, TryOnStatus
from server.infra.caller import sees_picture
from server.infra.store import Store
from server.models import Garment, TryOn
from server.rendering.words import dashboard, language, reasons

BASE = "/dashboard"
TEMPLATES = Path(__file__).parents[1] / "web" / "dashboard" / "templates"


def try_on_rows(session: Session, store: Store, rows: Sequence[TryOn]) -> list[Markup]:
    """One `<tr>` for each try-on; their garments are read in one query."""
    wanted = {row.garment_id for row in rows if row.garment_id}
    found = session.scalars(select(Garment).where(Garment.id.in_(wanted))) if wanted else ()
    garments = {garment.id: garment for garment in found}
    return [_try_on_row(store, row, garments.get(row.garment_id or "")) for row in rows]


def try_on(session: Session, store: Store, row: TryOn) -> str:
    """The fragment pushed to a merchant's pages when a try-on changed, and after a (re)connect. A
    page swaps in what it shows and drops the rest."""
    return try_on_rows(session, store, [row])[0]


def garment(store: Store, row: Garment) -> str:
    """The fragments pushed when a garment changed: its row in the list, its state on its page."""
    return garment_row(store, row) + garment_state(store, row)


def gone(row_id: str, version: int) -> str:
    """The fragment pushed when a row was deleted."""
    return Markup('<tr id="{}" data-version="{}" data-gone></tr>').format(row_id, version)


def garment_row(store: Store, row: Garment) -> Markup:
    """One `<tr>` of the list of garments."""
    return _render(
        "_garment_row",
        garment=row,
        garment_url=_cutout_url(store, row),
        reasons=_sentences(row),
        status=dashboard.status(row.status),
        categories=dashboard.categories(),
    )


def garment_state(store: Store, row: Garment) -> Markup:
    """The pictures and the status on a garment's own page."""
    ready = row.status == GarmentStatus.READY
    return _render(
        "_garment_state",
        garment=row,
        garment_url=_cutout_url(store, row),
        picture_url=store.presign_get(row.clean_key) if ready else None,
        reasons=_sentences(row),
        status=dashboard.status(row.status),
    )


def _try_on_row(store: Store, row: TryOn, garment: Garment | None) -> Markup:
    there = row.status == TryOnStatus.SUCCEEDED and row.result_key
    shown = there and sees_picture("user", row)
    return _render(
        "_try_on_row",
        try_on=row,
        garment=garment,
        garment_url=_cutout_url(store, garment) if garment else None,
        picture_url=store.presign_get(row.result_key or "") if shown else None,
        status=dashboard.status(row.status),
        place=_place(row),
        reason=_sentence(row.error_code) if row.error_code else None,
    )


def _place(row: TryOn) -> str | None:
    if row.status != TryOnStatus.QUEUED or row.position is None:
        return None
    return dashboard.place(row.position, row.eta_s)


def _cutout_url(store: Store, row: Garment) -> str | None:
    return store.presign_get(row.cutout_key) if row.status == GarmentStatus.READY else None


def _sentences(row: Garment) -> list[str]:
    return [_sentence(str(code)) for code in row.reasons]


def _sentence(code: str) -> str:
    return reasons.merchant(code)


def _render(name: str, **words: object) -> Markup:
    template = _environment().get_template(f"dashboard/{name}.html")
    return Markup(template.render(base=BASE, **words))  # noqa: S704 - autoescape is on


@cache
def _environment() -> Environment:
    """A Jinja environment apart from the app's, so that the live feed renders without a request."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    language.install(environment)
    return environment
