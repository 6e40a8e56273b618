"""POST /v1/sites/{pk}/boot: the embed trades publishable key and Origin for a boot token.

The key is in the path because a preflight has no body and CORS is per site.
"""

from __future__ import annotations

from urllib.parse import urlencode

from apiflask import APIBlueprint
from flask import Response, make_response

from server.api.schemas import BootIn, BootOut
from server.auth import (
    BOOT_TOKEN_S,
    allow,
    find_site,
    issue_boot_token,
    require_allowed_origin,
)
from server.limits import limited_more
from server.models import Site
from server.services import current_services

blueprint = APIBlueprint("boot", __name__, url_prefix="/v1", tag="Shoppers")
PREFLIGHT_S = 600


@blueprint.post("/sites/<pk>/boot", provide_automatic_options=False)
@allow("embed")
@limited_more
@blueprint.input(BootIn)
@blueprint.output(BootOut)
def boot(pk: str, json_data: BootIn) -> Response:
    """Get a boot token.

    For pages on the site's allowed origins. The token is good once, for 120 seconds.
    """
    services = current_services()
    site, mode, origin = _site_and_origin(pk)
    query = f"?{urlencode({'garment': json_data.garment})}" if json_data.garment else ""
    answer = {
        "boot_token": issue_boot_token(services, site, mode, origin),
        "widget_url": f"{services.settings.server_url}/w/{pk}{query}",
        "expires_in_s": BOOT_TOKEN_S,
    }
    return _readable_by(origin, make_response(answer))


@blueprint.route("/sites/<pk>/boot", methods=["OPTIONS"], provide_automatic_options=False)
@blueprint.doc(hide=True)
@allow("embed")
def preflight(pk: str) -> Response:
    _, _, origin = _site_and_origin(pk)
    response = _readable_by(origin, Response(status=204))
    response.headers["Access-Control-Allow-Methods"] = "POST"
    response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)
    return response


def _site_and_origin(pk: str) -> tuple[Site, str, str]:
    with current_services().read() as session:
        site, mode = find_site(session, pk)
    return site, mode, require_allowed_origin(site)


def _readable_by(origin: str, response: Response) -> Response:
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.vary.add("Origin")
    return response
