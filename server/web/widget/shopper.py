"""The shopper: where she left off, and everything of hers deleted."""

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
    """Where she left off: a picture on its way, her photo, or the first card. `fresh=1` asks for
    the first card in any case, `shown=start` says that the page shows it already. Nobody is asked
    for a photo where the item cannot be tried on."""
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
    """ "Delete photo and pictures": everything of hers, and that we know her."""
    services = current_services()
    own_site(services, pk, caller)
    shoppers.erase(services, caller)
    response = Response(fragments.deleted() + fragments.history([], services.store, oob=True))
    auth.clear_resume_cookie(response)
    return response


def _left_off(services: Services, caller: Caller, garment: Garment) -> str | None:
    for row in try_ons.listing(services, caller).rows:
        if not row.status.is_final and row.garment_id == garment.id:
            return try_on_html(services, row)
    recent = photos.recent(services, caller, limit=1)
    if recent and recent[0].status is PhotoStatus.CHECKING:
        return fragments.photo_card(recent[0], services.store)
    photo = ready_photo(services, caller)
    return fragments.again(photo, services.store) if photo else None
