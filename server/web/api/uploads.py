"""POST /v1/uploads: a signed address for exactly one file."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from server.auth import allow
from server.auth.limits import budgeted
from server.domain import uploads
from server.infra.caller import Caller
from server.infra.errors import Code, Problem
from server.infra.services import current_services
from server.web.api.schemas import UploadIn, UploadOut

blueprint = APIBlueprint("uploads", __name__, url_prefix="/v1", tag="Files")


@blueprint.post("/uploads")
@allow("shopper", "secret")
@budgeted("uploads")
@blueprint.input(UploadIn)
@blueprint.output(UploadOut, status_code=201)
def create_upload(caller: Caller, json_data: UploadIn) -> dict[str, Any]:
    """Announce a file and get an address to PUT it to.

    Type and length are signed: the store takes no other file.
    """
    if caller.kind == "shopper" and json_data.purpose != "photo":
        raise Problem(Code.NOT_ALLOWED, "Shoppers upload photos only.", param="purpose")
    announced = uploads.create(current_services(), caller, **json_data.model_dump())
    return announced.to_dict()
