"""GET /v1/files/{key}: redirects to a presigned download."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import redirect
from werkzeug import Response

from server.domain import files
from server.infra.caller import Caller
from server.infra.services import current_services
from server.web.api.rules import SHOPPER_OR_SECRET, Doc, Rule, add

blueprint = APIBlueprint("files", __name__, url_prefix="/v1", tag="Files")


def read_file(caller: Caller, key: str) -> Response:
    """Download a photo, cut-out or picture.

    A secret key never gets a shopper's photo, and her picture only where she shared it.
    """
    services = current_services()
    return redirect(services.store.presign_get(files.find(services, caller, key)))


REDIRECT: Doc = {"responses": {302: "To a presigned download, good for 5 minutes."}}
RULES = (Rule("GET /files/<path:key>", read_file, SHOPPER_OR_SECRET, doc=REDIRECT),)
add(blueprint, RULES)
