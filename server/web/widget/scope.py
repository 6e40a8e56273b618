"""Look-ups shared by the widget's views: the page's site, the shopper's photo, her pictures."""

from __future__ import annotations

from flask import Response

from gpu_worker.contract import GarmentStatus, PhotoStatus
from server import auth
from server.domain import garments, photos, shoppers
from server.infra.caller import Caller
from server.infra.errors import Code, Problem
from server.infra.services import Services
from server.models import Garment, Photo, Site, TryOn
from server.rendering import fragments
from server.rendering.fragments import CONSENT_VERSION


def site_of(services: Services, pk: str) -> tuple[Site, str]:
    """The site and mode of a publishable key. Raises `Problem` site_not_found."""
    with services.read() as session:
        return auth.find_site(session, pk)


def own_site(services: Services, pk: str, caller: Caller) -> Site:
    """The site of the page's key, which must be the one of the shopper's token.

    Raises:
        Problem: site_not_found.
    """
    site, mode = site_of(services, pk)
    if (site.id, mode) != (caller.site_id, caller.mode):
        raise Problem(Code.SITE_NOT_FOUND)
    return site


def wearable(services: Services, caller: Caller, sku: str) -> Garment | None:
    """The garment of a SKU; None if it is unknown or rejected. One that is still being cleaned will
    be ready before her photo is, or the try-on is refused."""
    garment = garments.find_by_sku(services, caller, sku)
    return garment if garment and garment.status is not GarmentStatus.REJECTED else None


def ready_photo(services: Services, caller: Caller) -> Photo | None:
    """The shopper's newest usable photo."""
    recent = photos.recent(services, caller)
    return next((photo for photo in recent if photo.status is PhotoStatus.READY), None)


def has_agreed(services: Services, caller: Caller) -> bool:
    """Whether she consented to the present version of the text."""
    shopper = shoppers.get(services, caller.shopper_id or "")
    return shopper is not None and shopper.consent_version == CONSENT_VERSION


def card(services: Services, row: TryOn) -> Response:
    return Response(try_on_html(services, row))


def try_on_html(services: Services, row: TryOn) -> str:
    with services.read() as session:
        return fragments.try_on_card(fragments.scene_of(session, row), services.store)


def answer(services: Services, caller: Caller, card: str, *, reswap: str | None = None) -> Response:
    """A card, and beside it her strip of pictures as an out-of-band swap. `reswap`: overrides how
    htmx swaps the card."""
    with services.read() as session:
        scenes = fragments.scenes_of(session, caller.shopper_id or "")
        response = Response(card + fragments.history(scenes, services.store, oob=True))
    if reswap is not None:
        response.headers["HX-Reswap"] = reswap
    return response
