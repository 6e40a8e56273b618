"""POST /v1/live-tickets: a connection token for the live socket, sent in its first frame."""

from __future__ import annotations

from apiflask import APIBlueprint

from server.auth import LIVE_TICKET_S, issue_live_ticket
from server.infra.caller import Caller
from server.infra.services import current_services
from server.rendering.json import Json
from server.web.api.rules import SHOPPER_OR_SECRET, Rule, add
from server.web.api.schemas import LiveTicketOut

blueprint = APIBlueprint("live_tickets", __name__, url_prefix="/v1", tag="Live")


def create_live_ticket(caller: Caller) -> Json:
    """Get a ticket for the live socket, good once, for 30 seconds."""
    ticket = issue_live_ticket(current_services(), caller)
    return {"ticket": ticket, "expires_in_s": LIVE_TICKET_S}


RULES = (
    Rule(
        "POST /live-tickets", create_live_ticket, SHOPPER_OR_SECRET, gives=LiveTicketOut, status=201
    ),
)  # fmt: skip
add(blueprint, RULES)
