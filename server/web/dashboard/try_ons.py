"""The page that lists try-ons, newest first; the live socket keeps it up to date."""

from __future__ import annotations

from flask import render_template, request, url_for

from server.auth import allow
from server.domain import try_ons as acts
from server.infra.caller import Caller
from server.infra.services import current_services
from server.rendering import dashboard_fragments

PAGE_LENGTH = 25


@allow("user")
def try_ons(caller: Caller) -> str:
    services = current_services()
    cursor = request.args.get("cursor")
    mode = request.args.get("mode")
    mode = mode if mode in ("live", "test") else None
    page = acts.listing(services, caller, cursor=cursor, limit=PAGE_LENGTH, mode=mode)
    with services.read() as session:
        rows = dashboard_fragments.try_on_rows(session, services.store, page.rows)
    return render_template(
        "dashboard/try_ons.html",
        rows=rows,
        mode=mode,
        cursor=cursor,
        first_page=not cursor,
        first_url=url_for("dashboard.try_ons", mode=mode),
        next_url=page.next_cursor
        and url_for("dashboard.try_ons", mode=mode, cursor=page.next_cursor),
    )
