"""Announces a garment's picture; the browser then PUTs it to the store, not through the server."""

from __future__ import annotations

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, ValidationError

from server.auth import allow
from server.domain import uploads
from server.infra.caller import Caller
from server.infra.errors import Code, Problem
from server.infra.services import current_services
from server.rendering.json import upload as as_json
from server.web.dashboard import scope


class NewUpload(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    site_id: str
    content_type: str
    size_bytes: int


@allow("user")
def create_upload(caller: Caller) -> ResponseReturnValue:
    try:
        new = NewUpload.model_validate(request.get_json(silent=True))
    except ValidationError as error:
        raise Problem(Code.INVALID, param=str(error.errors()[0]["loc"][:1])) from error
    announced = uploads.create(
        current_services(),
        scope.at(caller, new.site_id),
        purpose="garment",
        content_type=new.content_type,
        size_bytes=new.size_bytes,
    )
    return jsonify(as_json.to_dict(announced)), 201
