"""Widget views of the shopper's photo: create it with consent, choose one of several people."""

from __future__ import annotations

from flask import Response, request

from server import auth
from server.auth import allow
from server.auth.limits import budgeted
from server.domain import photos
from server.infra.caller import Caller
from server.infra.errors import Code, Problem
from server.infra.services import current_services
from server.rendering import fragments
from server.rendering.fragments import CONSENT_VERSION
from server.web.widget.scope import own_site


@allow("shopper")
@budgeted("photos")
def create_photo(pk: str, caller: Caller) -> Response:
    """Creates a photo from an upload. Requires the present version of the consent."""
    services = current_services()
    own_site(services, pk, caller)
    if request.form.get("consent_version") != CONSENT_VERSION:
        raise Problem(
            Code.INVALID, "She has to agree to the present words.", param="consent_version"
        )
    key = request.form.get("key", "")
    photo = photos.create(
        services, caller, key=key, consent_version=CONSENT_VERSION,
        asked_from=auth.asked_from(services, caller),
    )  # fmt: skip
    response = Response(fragments.photo_card(photo, services.store))
    auth.set_resume_cookie(response, services, caller)
    return response


@allow("shopper")
@budgeted("photos")
def choose_person(pk: str, photo_id: str, caller: Caller) -> Response:
    services = current_services()
    own_site(services, pk, caller)
    person = request.form.get("person", type=int)
    if person is None or person < 0:
        raise Problem(Code.INVALID, param="person")
    asked_from = auth.asked_from(services, caller)
    photo = photos.choose_person(services, caller, photo_id, person, asked_from=asked_from)
    return Response(fragments.photo_card(photo, services.store))
