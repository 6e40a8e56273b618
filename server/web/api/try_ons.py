"""/v1/try-ons: create, list, read, rate, cancel, delete."""

from __future__ import annotations

import re

from apiflask import APIBlueprint
from flask import request

from server.auth import asked_from
from server.auth.limits import budgeted
from server.domain import try_ons
from server.infra.caller import Caller
from server.infra.errors import Code, Problem
from server.infra.services import current_services
from server.models import TryOn
from server.rendering.json import Json
from server.rendering.json import try_on as as_json
from server.web.api.rules import SHOPPER_OR_SECRET, Rule, add
from server.web.api.schemas import TryOnChangeIn, TryOnIn, TryOnOut, TryOnsOut, TryOnsQuery

blueprint = APIBlueprint("try_ons", __name__, url_prefix="/v1", tag="Try-ons")
_IDEMPOTENCY_KEY = re.compile(r"^[\x21-\x7e]{1,128}$")


def create_try_on(caller: Caller, json_data: TryOnIn) -> Json:
    """Ask for a picture of this photo in this garment."""
    if len(json_data.garment_ids or []) > 1:
        raise Problem(Code.ONE_GARMENT_ONLY, param="garment_ids")
    services = current_services()
    row = try_ons.create(
        services,
        caller,
        json_data.to_new(),
        idempotency_key=_idempotency_key(),
        asked_from=asked_from(services, caller),
    )
    return _to_dict(row, caller)


def list_try_ons(caller: Caller, query_data: TryOnsQuery) -> Json:
    """List try-ons, newest first.

    For a secret key, shoppers' try-ons too; their pictures only where the shopper shared them.
    """
    page = try_ons.listing(current_services(), caller, **query_data.model_dump())
    rows = [_to_dict(row, caller) for row in page.rows]
    return {"try_ons": rows, "next_cursor": page.next_cursor}


def read_try_on(caller: Caller, try_on_id: str) -> Json:
    """See a try-on. 410 once its picture was deleted or its time has run out."""
    return _to_dict(try_ons.get(current_services(), caller, try_on_id), caller)


def change_try_on(caller: Caller, try_on_id: str, json_data: TryOnChangeIn) -> Json:
    """Note what the shopper thinks of it.

    `shared` is hers alone: for a shopper's try-on a secret key is refused with `not_allowed`.
    """
    row = try_ons.change(current_services(), caller, try_on_id, **json_data.model_dump())
    return _to_dict(row, caller)


def cancel_try_on(caller: Caller, try_on_id: str) -> Json:
    """Take a queued or running try-on back."""
    return _to_dict(try_ons.cancel(current_services(), caller, try_on_id), caller)


def delete_try_on(caller: Caller, try_on_id: str) -> str:
    """Delete a try-on and its picture, finished or not."""
    try_ons.remove(current_services(), caller, try_on_id)
    return ""


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.match(key):
        raise Problem(
            Code.INVALID, "Use 1 to 128 visible ASCII characters.", param="Idempotency-Key"
        )
    return key


def _to_dict(row: TryOn, caller: Caller) -> Json:
    return as_json.to_dict(row, current_services().store, reader=caller.kind)


RULES = (
    Rule(
        "POST /try-ons", create_try_on, SHOPPER_OR_SECRET, budgeted("try-ons"),
        takes=TryOnIn, gives=TryOnOut, status=202,
    ),
    Rule("GET /try-ons", list_try_ons, SHOPPER_OR_SECRET, query=TryOnsQuery, gives=TryOnsOut),
    Rule("GET /try-ons/<try_on_id>", read_try_on, SHOPPER_OR_SECRET, gives=TryOnOut),
    Rule(
        "PATCH /try-ons/<try_on_id>", change_try_on, SHOPPER_OR_SECRET,
        takes=TryOnChangeIn, gives=TryOnOut,
    ),
    Rule("POST /try-ons/<try_on_id>/cancel", cancel_try_on, SHOPPER_OR_SECRET, gives=TryOnOut),
    Rule("DELETE /try-ons/<try_on_id>", delete_try_on, SHOPPER_OR_SECRET, status=204),
)  # fmt: skip
add(blueprint, RULES)
