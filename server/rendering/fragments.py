"""HTML fragments of rows for a shopper: used by the widget's views and by her live socket.

Owns the templates' inputs; must not know requests or sockets. A pushed fragment is an out-of-band
swap with id and `data-version`: the page takes it only over an older version of that id, so that
sending one twice is harmless.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import select
from sqlalchemy.orm import Session

from gpu_worker.contract import LADDER, PhotoStatus, Reason, TryOnStatus
from server.models import Garment, Photo, TryOn, now
from server.rendering.words import language, reasons, times
from server.rendering.words.widget import words

CONSENT_VERSION = "2026-11"  # a new version, for a new consent text, asks every shopper again
HISTORY_LENGTH = 24
TEMPLATES = Path(__file__).parents[2] / "widget" / "templates"


class Links(Protocol):
    """Makes a URL for an object: `infra.store.Store`, or files of samples."""

    def presign_get(self, key: str) -> str: ...


def is_lower(tier: str | None) -> bool:
    """Whether a picture is drawn at a lower tier than the best one, because of load."""
    return tier not in (None, LADDER[0].name, "preview")


# --- rendering -----------------------------------------------------------------------------------


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    language.install(environment)
    environment.globals.update(
        roughly=times.roughly,
        place=times.place,
        ago=times.ago,
        left=times.left,
        words=words,
        hint_words=reasons.hint,
        is_lower=is_lower,
        oob=False,
    )
    return environment


_templates = _environment()


def render(template: str, **context: object) -> str:
    return _templates.get_template(template).render(**context)


@dataclass(frozen=True, slots=True)
class Scene:
    """A try-on with its photo and garment, as its card needs them; each None once deleted."""

    try_on: TryOn
    photo: Photo | None
    garment: Garment | None


def start(shop: str, kept_s: float, *, agreed: bool = False) -> str:
    """The start card: consent and choice of a photo. `kept_s`: how long a photo is kept."""
    return render("start.html", shop=shop, kept=times.span(kept_s), agreed=agreed)


def again(photo: Photo, links: Links) -> str:
    """The card for a shopper who comes back and whose photo is still kept."""
    url = links.presign_get(photo.clean_key)
    return render("again.html", photo=photo, photo_url=url, nonce=secrets.token_hex(4))


def deleted() -> str:
    return render("deleted.html")


def photo_card(photo: Photo, links: Links, *, oob: bool = False) -> str:
    """The card of a photo: checking, ready, several people or rejected."""
    shows_photo = photo.status is PhotoStatus.READY or Reason.SEVERAL_PEOPLE in photo.reasons
    url = links.presign_get(photo.clean_key) if shows_photo else None
    return render("photo.html", photo=photo, photo_url=url, oob=oob)


def try_on_card(scene: Scene, links: Links, *, oob: bool = False) -> str:
    """The card of a try-on: waiting, result, failed or deleted."""
    row, photo, garment = scene.try_on, scene.photo, scene.garment
    return render(
        "try_on.html",
        try_on=row,
        garment=garment,
        photo_url=links.presign_get(photo.clean_key) if photo else None,
        cutout_url=links.presign_get(garment.cutout_key) if garment else None,
        result_url=links.presign_get(row.result_key) if row.result_key else None,
        partial_url=_partial_url(row, links),
        oob=oob,
    )


def _partial_url(row: TryOn, links: Links) -> str | None:
    return links.presign_get(row.partial_key) if row.partial_key else None


def partial(row: TryOn, links: Links, *, oob: bool = False) -> str:
    """The element that shows the partial picture; empty without one."""
    return render("partial.html", try_on=row, partial_url=_partial_url(row, links), oob=oob)


def progress(row: TryOn, *, oob: bool = False) -> str:
    """The changing part of a waiting card. Apart from the card, so that a push does not load her
    photo again."""
    return render("progress.html", try_on=row, oob=oob)


def history(scenes: Sequence[Scene], links: Links, *, oob: bool = False) -> str:
    """The strip of her pictures, in the order of `scenes`."""
    pictures = [
        {"scene": scene, "url": links.presign_get(scene.try_on.result_key)}
        for scene in scenes
        if scene.try_on.result_key
    ]
    version = round(now().timestamp() * 1000)  # it has no row: the strip that was read last wins
    return render("history.html", pictures=pictures, version=version, oob=oob)


def problem(code: str, *, retry: str | None = None) -> str:
    """A card with what is wrong and what to do. `retry`: the button's action in main.js; None: the
    button closes the widget."""
    return render("problem.html", code=code, retry=retry)


# --- rows ----------------------------------------------------------------------------------------


def scene_of(session: Session, row: TryOn) -> Scene:
    photo = session.get(Photo, row.photo_id) if row.photo_id else None
    garment = session.get(Garment, row.garment_id) if row.garment_id else None
    return Scene(row, photo, garment)


def scenes_of(session: Session, shopper_id: str) -> list[Scene]:
    """A shopper's pictures that are still kept, newest first."""
    query = (
        select(TryOn)
        .where(
            TryOn.shopper_id == shopper_id,
            TryOn.status == TryOnStatus.SUCCEEDED,
            TryOn.result_key.is_not(None),
            TryOn.deleted_at.is_(None),
            TryOn.expires_at > now(),
        )
        .order_by(TryOn.created_at.desc())
        .limit(HISTORY_LENGTH)
    )
    return [scene_of(session, row) for row in session.scalars(query)]


def changed(session: Session, row: TryOn, links: Links) -> str:
    """The fragments pushed when a try-on changed."""
    if not row.status.is_final:  # not the whole card, which would reload her photo at each step
        return progress(row, oob=True) + (partial(row, links, oob=True) if row.partial_key else "")
    card = try_on_card(scene_of(session, row), links, oob=True)
    if row.shopper_id is None:
        return card
    return card + history(scenes_of(session, row.shopper_id), links, oob=True)


def gone(row_id: str, version: int) -> str:
    """The fragment pushed when a row was deleted."""
    return render("gone.html", id=row_id, version=version, oob=True)
