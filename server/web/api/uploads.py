"""POST /v1/uploads: a signed address for exactly one file."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from server.auth.limits import budgeted
from server.domain import uploads
from server.infra.caller import Caller
from server.infra.errors import Problem
from server.infra.services import current_services
from server.web.api.rules import HERS_OR_SHOPS, Rule, add
from server.web.api.schemas import UploadIn, UploadOut

blueprint = APIBlueprint("uploads", __name__, url_prefix="/v1", tag="Files")


def create_upload(caller: Caller, json_data: UploadIn) -> dict[str, Any]:
    """Announce a file and get an address to PUT it to.

    Type and length are signed: the store takes no other file.
    """
    if caller.kind == "shopper" and json_data.purpose != "photo":
        raise Problem("not_allowed", "Shoppers upload photos only.", param="purpose")
    announced = uploads.create(current_services(), caller, **json_data.model_dump())
    return announced.to_dict()


RULES = (
    Rule(
        "POST /uploads", create_upload, HERS_OR_SHOPS, budgeted("uploads"),
        takes=UploadIn, gives=UploadOut, status=201,
    ),
)  # fmt: skip
add(blueprint, RULES)
