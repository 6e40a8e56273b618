"""Widget views of try-ons: create, read, cancel, delete."""

from __future__ import annotations

from flask import Response, request

from server.auth import allow, asked_from
from server.auth.limits import budgeted
from server.domain import garments, try_ons
from server.infra.caller import Caller
from server.infra.errors import TryOnFinal
from server.infra.services import current_services
from server.rendering import fragments
from server.web.widget.scope import answer, card, own_site, ready_photo


@allow("shopper")
@budgeted("try-ons")
def create_try_on(pk: str, caller: Caller) -> Response:
    services = current_services()
    own_site(services, pk, caller)
    garment = garments.by_sku(services, caller, request.form.get("garment", ""))
    new = try_ons.NewTryOn(photo_id=request.form.get("photo_id", ""), garment_id=garment.id)
    key = request.headers.get("Idempotency-Key")
    # The page's key names the photo (or the last try-on) and the attempt, not the garment.
    key = f"{key}-{garment.id}"[:128] if key else None
    row = try_ons.create(
        services, caller, new, idempotency_key=key, asked_from=asked_from(services, caller)
    )
    return card(services, row)


@allow("shopper")
def read_try_on(pk: str, try_on_id: str, caller: Caller) -> Response:
    services = current_services()
    own_site(services, pk, caller)
    return card(services, try_ons.get(services, caller, try_on_id))


@allow("shopper")
def cancel_try_on(pk: str, try_on_id: str, caller: Caller) -> Response:
    """Cancels an unfinished try-on; one that has just finished is shown instead."""
    services = current_services()
    own_site(services, pk, caller)
    try:
        row = try_ons.cancel(services, caller, try_on_id)
    except TryOnFinal:
        row = try_ons.get(services, caller, try_on_id)
    return card(services, row)


@allow("shopper")
def delete_try_on(pk: str, try_on_id: str, caller: Caller) -> Response:
    """Deletes one picture; her photo stays for the next try-on."""
    services = current_services()
    site = own_site(services, pk, caller)
    try_ons.remove(services, caller, try_on_id)
    photo = ready_photo(services, caller)
    if photo is not None:
        return answer(services, caller, fragments.again(photo, services.store))
    return answer(services, caller, fragments.start(site.name, services.settings.photo_ttl_s))
