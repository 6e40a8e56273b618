"""Whose page this is and what is hers: shared by the widget's fragments."""

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
    with services.read() as session:
        return auth.find_site(session, pk)


def own_site(services: Services, pk: str, caller: Caller) -> Site:
    """The site of the address, if it is the one that her token was made for."""
    site, mode = site_of(services, pk)
    if (site.id, mode) != (caller.site_id, caller.mode):
        raise Problem(Code.SITE_NOT_FOUND)
    return site


def wearable(services: Services, caller: Caller, sku: str) -> Garment | None:
    """The garment of a SKU, if it can be tried on: one that is still being cleaned will be ready
    before her photo is."""
    garment = garments.find_by_sku(services, caller, sku)
    return garment if garment and garment.status is not GarmentStatus.REJECTED else None


def ready_photo(services: Services, caller: Caller) -> Photo | None:
    recent = photos.recent(services, caller)
    return next((photo for photo in recent if photo.status is PhotoStatus.READY), None)


def has_agreed(services: Services, caller: Caller) -> bool:
    shopper = shoppers.get(services, caller.shopper_id or "")
    return shopper is not None and shopper.consent_version == CONSENT_VERSION


def card(services: Services, row: TryOn) -> Response:
    return Response(try_on_html(services, row))


def try_on_html(services: Services, row: TryOn) -> str:
    with services.read() as session:
        return fragments.try_on_card(fragments.scene_of(session, row), services.store)


def answer(services: Services, caller: Caller, card: str, *, reswap: str | None = None) -> Response:
    """A card with her present strip of pictures beside it."""
    with services.read() as session:
        scenes = fragments.scenes_of(session, caller.shopper_id or "")
        response = Response(card + fragments.history(scenes, services.store, oob=True))
    if reswap is not None:
        response.headers["HX-Reswap"] = reswap
    return response
