"""Widget views of the shopper: continue where she left off, delete everything."""

from __future__ import annotations

from flask import Response, request

from gpu_worker.contract import PhotoStatus
from server import auth
from server.auth import allow
from server.domain import photos, shoppers, try_ons
from server.infra.caller import Caller
from server.infra.services import Services, current_services
from server.models import Garment
from server.rendering import fragments
from server.rendering.words.widget import PageCode
from server.web.widget.scope import answer, has_agreed, own_site, ready_photo, try_on_html, wearable


@allow("shopper")
def start(pk: str, caller: Caller) -> Response:
    """The card to begin with: an unfinished try-on of this garment, her photo, or the start card.

    Query `fresh=1`: always the start card; `shown=start`: the page shows it already. A garment that
    cannot be tried on gives a problem card before she is asked for a photo.
    """
    services = current_services()
    site = own_site(services, pk, caller)
    garment = wearable(services, caller, request.args.get("garment", ""))
    if garment is None:
        return answer(services, caller, fragments.problem(PageCode.GARMENT_MISSING))
    fresh = request.args.get("fresh") == "1"
    card = None if fresh else _left_off(services, caller, garment)
    if card is not None:
        return answer(services, caller, card)
    if not fresh and request.args.get("shown") == "start":
        return answer(services, caller, "", reswap="none")
    agreed = has_agreed(services, caller)
    card = fragments.start(site.name, services.settings.photo_ttl_s, agreed=agreed)
    return answer(services, caller, card)


@allow("shopper")
def delete_shopper(pk: str, caller: Caller) -> Response:
    """Button "Delete photo and pictures": erases the shopper and clears the resume cookie."""
    services = current_services()
    own_site(services, pk, caller)
    shoppers.erase(services, caller)
    response = Response(fragments.deleted() + fragments.history([], services.store, oob=True))
    auth.clear_resume_cookie(response)
    return response


def _left_off(services: Services, caller: Caller, garment: Garment) -> str | None:
    """The card of what she has begun; None for a shopper without a photo."""
    for row in try_ons.listing(services, caller).rows:
        if not row.status.is_final and row.garment_id == garment.id:
            return try_on_html(services, row)
    recent = photos.recent(services, caller, limit=1)
    if recent and recent[0].status is PhotoStatus.CHECKING:
        return fragments.photo_card(recent[0], services.store)
    photo = ready_photo(services, caller)
    return fragments.again(photo, services.store) if photo else None
