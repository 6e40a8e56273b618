"""POST /v1/shopper-tokens: exchanges boot token, bearer token or resume cookie for a shopper token.
DELETE /v1/shoppers/me: erases the shopper.

The POST is the API's only operation that a cookie authenticates, so it checks the Origin (CSRF).
"""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, make_response

from server import auth
from server.auth.limits import limited_strictly
from server.domain import shoppers
from server.infra.caller import Caller
from server.infra.errors import Code, Problem
from server.infra.services import Services, current_services
from server.models import Shopper
from server.web.api.rules import Rule, add
from server.web.api.schemas import ShopperTokenIn, ShopperTokenOut

blueprint = APIBlueprint("shopper_tokens", __name__, url_prefix="/v1", tag="Shoppers")


def create_shopper_token(json_data: ShopperTokenIn) -> Response:
    """Get or renew a shopper token.

    Send the boot token once, later nothing: the bearer token or the resume cookie tell who asks.
    Only for the widget's own pages.
    """
    services = current_services()
    auth.require_server_origin(services)
    shopper, resumed = _shopper(services, json_data.boot_token)
    token = auth.issue_shopper_token(services, shopper)
    answer = {
        "shopper_token": token.token,
        "expires_in_s": token.expires_in_s,
        "resumed": resumed,
    }
    response = make_response(answer)
    auth.set_resume_cookie(response, services, shoppers.caller_of(shopper))
    return response


def erase_shopper(caller: Caller) -> Response:
    """Delete now: the shopper, her photos and pictures, and the resume cookie."""
    shoppers.erase(current_services(), caller)
    response = Response(status=204)
    auth.clear_resume_cookie(response)
    return response


def _shopper(services: Services, boot_token: str | None) -> tuple[Shopper, bool]:
    if boot_token is not None:
        return _booted(services, auth.redeem_boot_token(services, boot_token))
    bearer = auth.bearer_shopper(services)
    if bearer is not None:
        return bearer, True
    known = _resumed(services)
    if known is None:
        raise Problem(Code.NO_SHOPPER)
    return known, True


def _booted(services: Services, boot: auth.Boot) -> tuple[Shopper, bool]:
    # A cookie of another site or mode is ignored: shoppers are never shared between sites.
    known = _resumed(services)
    if known is not None and (known.site_id, known.mode) == (boot.site_id, boot.mode):
        return known, True
    new = shoppers.create(
        services, merchant_id=boot.merchant_id, site_id=boot.site_id, mode=boot.mode
    )
    return new, False


def _resumed(services: Services) -> Shopper | None:
    handle = auth.read_resume_cookie()
    return shoppers.resume(services, handle) if handle else None


RULES = (
    Rule(
        "POST /shopper-tokens", create_shopper_token, ("anyone",), limited_strictly,
        takes=ShopperTokenIn, gives=ShopperTokenOut,
    ),
    Rule("DELETE /shoppers/me", erase_shopper, ("shopper",), status=204),
)  # fmt: skip
add(blueprint, RULES)
