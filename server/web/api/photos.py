"""/v1/photos: create a photo from an upload, read its check, choose a person, delete."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, make_response

from server import auth
from server.auth.limits import budgeted
from server.domain import photos
from server.infra.caller import Caller
from server.infra.services import current_services
from server.models import Photo
from server.rendering.json import Json
from server.rendering.json import photo as as_json
from server.web.api.rules import SHOPPER_OR_SECRET, Rule, add
from server.web.api.schemas import PhotoChangeIn, PhotoIn, PhotoOut

blueprint = APIBlueprint("photos", __name__, url_prefix="/v1", tag="Photos")


def create_photo(caller: Caller, json_data: PhotoIn) -> Response:
    """Hand over an uploaded photo to be checked.

    `consent_version` names the words that the shopper agreed to.
    """
    services = current_services()
    photo = photos.create(
        services, caller, asked_from=auth.asked_from(services, caller), **json_data.model_dump()
    )
    response = make_response(_to_dict(photo, caller), 202)
    auth.set_resume_cookie(response, services, caller)
    return response


def read_photo(caller: Caller, photo_id: str) -> Json:
    """See a photo's status, and the reasons of a rejected one.

    A shopper sees her own; a secret key sees those that it handed over itself, and no shopper's.
    """
    return _to_dict(photos.get(current_services(), caller, photo_id), caller)


def choose_person(caller: Caller, photo_id: str, json_data: PhotoChangeIn) -> Json:
    """Choose one of several people; the photo is checked again for that one."""
    services = current_services()
    asked_from = auth.asked_from(services, caller)
    photo = photos.choose_person(
        services, caller, photo_id, json_data.person, asked_from=asked_from
    )
    return _to_dict(photo, caller)


def delete_photo(caller: Caller, photo_id: str) -> str:
    """Delete a photo, everything made from it, and the pictures that show it."""
    photos.remove(current_services(), caller, photo_id)
    return ""


def _to_dict(photo: Photo, caller: Caller) -> Json:
    return as_json.to_dict(photo, reader=caller.kind)


RULES = (
    Rule(
        "POST /photos", create_photo, SHOPPER_OR_SECRET, budgeted("photos"),
        takes=PhotoIn, gives=PhotoOut, status=202,
    ),
    Rule("GET /photos/<photo_id>", read_photo, SHOPPER_OR_SECRET, gives=PhotoOut),
    Rule(
        "PATCH /photos/<photo_id>", choose_person, SHOPPER_OR_SECRET, budgeted("photos"),
        takes=PhotoChangeIn, gives=PhotoOut, status=202,
    ),
    Rule("DELETE /photos/<photo_id>", delete_photo, SHOPPER_OR_SECRET, status=204),
)  # fmt: skip
add(blueprint, RULES)
