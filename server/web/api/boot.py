"""POST /v1/sites/{pk}/boot: exchanges publishable key and Origin for a boot token.

The key is in the path because CORS is per site and a preflight request has no body.
"""

from __future__ import annotations

from urllib.parse import urlencode

from apiflask import APIBlueprint
from flask import Response, g, request

from server.auth import (
    BOOT_TOKEN_S,
    find_site,
    issue_boot_token,
    require_allowed_origin,
)
from server.auth.limits import limited_by_address
from server.infra.services import current_services
from server.rendering.json import Json
from server.web.api.rules import RouteOptions, Rule, add
from server.web.api.schemas import BootIn, BootOut

blueprint = APIBlueprint("boot", __name__, url_prefix="/v1", tag="Shoppers")
PREFLIGHT_S = 600
OWN_PREFLIGHT: RouteOptions = {"provide_automatic_options": False}


@blueprint.before_request
def find_shop() -> None:
    """Finds site and Origin before anything else, so that later refusals get CORS headers, too, and
    the shop's page can read them."""
    pk = (request.view_args or {})["pk"]
    with current_services().read() as session:
        g.site, g.mode = find_site(session, pk)
    g.origin = require_allowed_origin(g.site)


@blueprint.after_request
def let_the_shop_read(response: Response) -> Response:
    response.vary.add("Origin")
    if "origin" in g:
        response.headers["Access-Control-Allow-Origin"] = g.origin
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def boot(pk: str, json_data: BootIn) -> Json:
    """Get a boot token.

    For pages on the site's allowed origins. The token is good once, for 120 seconds.
    """
    services = current_services()
    query = f"?{urlencode({'garment': json_data.garment})}" if json_data.garment else ""
    return {
        "boot_token": issue_boot_token(services, g.site, g.mode, g.origin),
        "widget_url": f"{services.settings.server_url}/w/{pk}{query}",
        "expires_in_s": BOOT_TOKEN_S,
    }


def preflight(pk: str) -> Response:
    response = Response(status=204)
    response.headers["Access-Control-Allow-Methods"] = "POST"
    response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)
    return response


RULES = (
    Rule(
        "POST /sites/<pk>/boot", boot, ("embed",), limited_by_address,
        takes=BootIn, gives=BootOut, options=OWN_PREFLIGHT,
    ),
    Rule(
        "OPTIONS /sites/<pk>/boot", preflight, ("embed",),
        limited=False, doc={"hide": True}, options=OWN_PREFLIGHT,
    ),
)  # fmt: skip
add(blueprint, RULES)
