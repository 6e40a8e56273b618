"""/v1/garments: what a site lets shoppers try on. Shoppers read, the merchant's backend changes."""

from __future__ import annotations

from apiflask import APIBlueprint

from server.auth.limits import limited_strictly
from server.domain import garments
from server.domain.garments import NewGarment
from server.infra.caller import Caller
from server.infra.services import current_services
from server.models import Garment
from server.rendering.json import Json
from server.rendering.json import garment as as_json
from server.web.api.rules import SHOPPER_OR_SECRET, Rule, add
from server.web.api.schemas import (
    GarmentChangeIn,
    GarmentIn,
    GarmentOut,
    GarmentsOut,
    GarmentsQuery,
)

blueprint = APIBlueprint("garments", __name__, url_prefix="/v1", tag="Garments")


def list_garments(caller: Caller, query_data: GarmentsQuery) -> Json:
    """List the site's garments, newest first."""
    page = garments.listing(current_services(), caller, **query_data.model_dump())
    rows = [_to_dict(row, caller) for row in page.rows]
    return {"garments": rows, "next_cursor": page.next_cursor}


def create_garment(caller: Caller, json_data: GarmentIn) -> Json:
    """Add a garment; its picture is cleaned before it can be tried on."""
    garment = garments.create(current_services(), caller, NewGarment(**json_data.model_dump()))
    return _to_dict(garment, caller)


def read_garment(caller: Caller, garment_id: str) -> Json:
    """See a garment, and the reasons of a rejected one."""
    return _to_dict(garments.get(current_services(), caller, garment_id), caller)


def change_garment(caller: Caller, garment_id: str, json_data: GarmentChangeIn) -> Json:
    """Change SKU, title or category. For another picture, delete the garment and add it anew."""
    garment = garments.change(current_services(), caller, garment_id, **json_data.model_dump())
    return _to_dict(garment, caller)


def delete_garment(caller: Caller, garment_id: str) -> str:
    """Delete a garment. Shoppers keep the pictures that show it."""
    garments.remove(current_services(), caller, garment_id)
    return ""


def _to_dict(garment: Garment, caller: Caller) -> Json:
    return as_json.to_dict(garment, current_services().store, reader=caller.kind)


RULES = (
    Rule(
        "GET /garments", list_garments, SHOPPER_OR_SECRET, query=GarmentsQuery, gives=GarmentsOut
    ),
    Rule(
        "POST /garments", create_garment, ("secret",), limited_strictly,
        takes=GarmentIn, gives=GarmentOut, status=202,
    ),
    Rule("GET /garments/<garment_id>", read_garment, SHOPPER_OR_SECRET, gives=GarmentOut),
    Rule(
        "PATCH /garments/<garment_id>", change_garment, ("secret",),
        takes=GarmentChangeIn, gives=GarmentOut,
    ),
    Rule("DELETE /garments/<garment_id>", delete_garment, ("secret",), status=204),
)  # fmt: skip
add(blueprint, RULES)
