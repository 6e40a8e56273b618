"""A user's own account: change the password, see and end login sessions.

Nobody reaches another user's sessions, whatever their role.
"""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from server.auth import allow
from server.domain import dashboard_sessions, users
from server.infra.caller import Caller
from server.infra.errors import Code, Problem
from server.infra.services import current_services
from server.models import now
from server.rendering.words import dashboard as said
from server.web.dashboard import login


@allow("user")
def account(caller: Caller) -> str:
    return _page()


def _page(errors: dict[str, str] | None = None) -> str:
    me = login.person()
    sessions = dashboard_sessions.listing(current_services(), me.id, now())
    return render_template(
        "dashboard/account.html",
        section="dashboard.account",
        here=[row for row in sessions if row.id == me.session_id],
        elsewhere=[row for row in sessions if row.id != me.session_id],
        shortest=users.SHORTEST_PASSWORD,
        longest=users.LONGEST_PASSWORD,
        errors=errors or {},
    )


# --- sessions ------------------------------------------------------------------------------------


@allow("user")
def end_session(session_id: str, caller: Caller) -> ResponseReturnValue:
    me = login.person()
    if session_id == me.session_id:
        return login.log_out()
    ended = dashboard_sessions.end(current_services(), me.id, session_id)
    if ended is None:
        raise Problem(Code.NOT_FOUND)
    flash(said.session_ended(ended.browser), "good")
    return redirect(url_for("dashboard.account"), 303)


@allow("user")
def end_others(caller: Caller) -> ResponseReturnValue:
    me = login.person()
    dashboard_sessions.end_others(current_services(), me.id, me.session_id)
    flash(said.other_sessions_ended(), "good")
    return redirect(url_for("dashboard.account"), 303)


# --- the password --------------------------------------------------------------------------------


@allow("user")
@login.limited_by_address
def change_password(caller: Caller) -> ResponseReturnValue:
    """Ends every session and starts a new one for this browser, so that a stolen copy of its old
    cookie is of no use either."""
    me, new = login.person(), request.form.get("new", "")
    if new != request.form.get("again", ""):
        return _page({"again": said.passwords_differ()}), 422
    known = login.check_password(me.email, request.form.get("old", ""))
    if known is None:
        return _page({"old": said.wrong_password()}), 422
    try:
        changed = users.set_password(
            current_services(), me.email, new, known_hash=known.password_hash
        )
    except Problem as problem:
        if problem.param != "password":
            raise
        return _page({"new": said.wrong_length(new)}), 422
    if not login.begin(changed.user):
        return login.to_login()
    flash(said.password_changed(), "good")
    return redirect(url_for("dashboard.account"), 303)
