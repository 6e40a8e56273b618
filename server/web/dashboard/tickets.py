"""Makes the ticket with which a page of the dashboard opens its live socket."""

from __future__ import annotations

from dataclasses import replace

from flask import jsonify
from flask.typing import ResponseReturnValue

from server import auth
from server.auth import allow
from server.infra.caller import Caller
from server.infra.services import current_services
from server.web.dashboard import login


@allow("user")
def create_ticket(caller: Caller) -> ResponseReturnValue:
    listener = replace(caller, session_id=login.person().session_id)
    ticket = auth.issue_live_ticket(current_services(), listener)
    return jsonify({"ticket": ticket})
