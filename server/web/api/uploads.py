"""POST /v1/uploads: a presigned URL for exactly one file."""

from __future__ import annotations

from apiflask import APIBlueprint

from server.auth.limits import budgeted
from server.domain import uploads
from server.infra.caller import Caller
from server.infra.errors import Code, Problem
from server.infra.services import current_services
from server.rendering.json import Json
from server.rendering.json import upload as as_json
from server.web.api.rules import SHOPPER_OR_SECRET, Rule, add
from server.web.api.schemas import UploadIn, UploadOut

blueprint = APIBlueprint("uploads", __name__, url_prefix="/v1", tag="Files")


def create_upload(caller: Caller, json_data: UploadIn) -> Json:
    """Announce a file and get an address to PUT it to.

    Type and length are signed: the store takes no other file.
    """
    if caller.kind == "shopper" and json_data.purpose != "photo":
        raise Problem(Code.NOT_ALLOWED, "Shoppers upload photos only.", param="purpose")
    announced = uploads.create(current_services(), caller, **json_data.model_dump())
    return as_json.to_dict(announced)


RULES = (
    Rule(
        "POST /uploads", create_upload, SHOPPER_OR_SECRET, budgeted("uploads"),
        takes=UploadIn, gives=UploadOut, status=201,
    ),
)  # fmt: skip
add(blueprint, RULES)
