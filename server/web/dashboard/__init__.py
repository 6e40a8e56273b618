"""The merchant's dashboard, HTML pages with htmx, one file per noun. Rules are in the domain."""

from __future__ import annotations

from flask import Blueprint, Flask

from server.config import Settings
from server.rendering.dashboard_fragments import BASE
from server.web.dashboard import (
    account,
    frame,
    garments,
    home,
    install,
    login,
    tickets,
    try_ons,
    uploads,
)

GET, POST = ["GET"], ["POST"]


def register(app: Flask, settings: Settings) -> None:
    """Adds all pages below /dashboard to the app."""
    login.init_app(app, is_https=settings.is_https)
    frame.init_app(app)
    app.register_blueprint(_blueprint())


def _blueprint() -> Blueprint:
    blueprint = Blueprint(
        "dashboard",
        __name__,
        url_prefix=BASE,
        template_folder="templates",
        static_folder="static",
    )
    frame.surround(blueprint)
    for rule, view, methods in (
        ("/login", login.log_in, ["GET", "POST"]),
        ("/logout", login.log_out, POST),
        ("/", home.home, GET),
        ("/garments", garments.garments, GET),
        ("/garments", garments.create_garment, POST),
        ("/garments/add", garments.add_garment, GET),
        ("/garments/<garment_id>", garments.garment, GET),
        ("/garments/<garment_id>", garments.change_garment, POST),
        ("/garments/<garment_id>/delete", garments.delete_garment, POST),
        ("/uploads", uploads.create_upload, POST),
        ("/try-ons", try_ons.try_ons, GET),
        ("/install", install.install, GET),
        ("/sites/<site_id>/origins", install.add_origin, POST),
        ("/sites/<site_id>/origins/remove", install.remove_origin, POST),
        ("/sites/<site_id>/keys", install.create_secret_key, POST),
        ("/sites/<site_id>/keys/<key_id>/revoke", install.revoke_secret_key, POST),
        ("/account", account.account, GET),
        ("/account/password", account.change_password, POST),
        ("/account/sessions/end-others", account.end_others, POST),
        ("/account/sessions/<session_id>/end", account.end_session, POST),
        ("/live-tickets", tickets.create_ticket, POST),
        ("/<path:rest>", frame.nothing_here, GET),
    ):
        blueprint.add_url_rule(rule, view_func=view, methods=methods)
    return blueprint
