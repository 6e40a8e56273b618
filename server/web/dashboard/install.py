"""The installation page of a site: snippet, publishable keys, allowed origins, secret keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from server.auth import allow
from server.domain import garments
from server.domain import sites as acts
from server.infra.caller import Caller
from server.infra.errors import Problem
from server.infra.services import current_services
from server.models import Garment, Site
from server.rendering.words import dashboard as said
from server.web.dashboard import scope, snippets


@allow("user")
def install(caller: Caller) -> str:
    return _page(caller, scope.choose(caller, request.args.get("site"))[1])


def _page(
    caller: Caller, site: Site, *, origin: str = "", error: str = "", new_secret: str | None = None
) -> str:
    services = current_services()
    mode = "test" if request.args.get("mode") == "test" else "live"
    is_owner = caller.role == "owner"
    example = _example(caller, site)
    return render_template(
        "dashboard/install.html",
        section="dashboard.install",
        sites=scope.choose(caller, None)[0],
        site=site,
        mode=mode,
        engine_name=services.settings.engine_for(mode),
        may_change=is_owner,
        form={"origin": origin},
        errors={"origin": error} if error else {},
        secret_keys=acts.secret_keys(services, caller, site.id) if is_owner else [],
        new_secret=new_secret,
        example=example,
        script_snippet=snippets.script(site.live_key if mode == "live" else site.test_key),
        button_snippet=snippets.button(example.sku if example else "YOUR-SKU"),
    )


def _example(caller: Caller, site: Site) -> Garment | None:
    """The site's newest garment."""
    here = replace(caller, site_id=site.id)
    return next(iter(garments.listing(current_services(), here, limit=1).rows), None)


def _back(site_id: str, anchor: str) -> ResponseReturnValue:
    return redirect(url_for("dashboard.install", site=site_id, _anchor=anchor), 303)


# --- origins -------------------------------------------------------------------------------------


def origin_of(pasted: str) -> str:
    """The origin of a pasted text: the address of any page of the shop, or its host. Unchecked.

    Raises:
        ValueError: it is no URL.
    """
    pasted = pasted.strip()
    parts = urlsplit(pasted if "://" in pasted else f"https://{pasted}")
    return f"{parts.scheme}://{parts.netloc}".lower()


@allow("user", role="owner")
def add_origin(site_id: str, caller: Caller) -> ResponseReturnValue:
    services = current_services()
    site = acts.get(services, caller, site_id)
    pasted = request.form.get("origin", "")
    try:
        origin = origin_of(pasted)
        if origin not in site.allowed_origins:
            acts.change_origins(services, caller, site_id, [*site.allowed_origins, origin])
    except (Problem, ValueError):
        is_http = pasted.strip().lower().startswith("http://")
        error = said.not_https() if is_http else said.no_origin()
        return _page(caller, site, origin=pasted, error=error), 422
    flash(said.origin_added(origin), "good")
    return _back(site_id, "origins")


@allow("user", role="owner")
def remove_origin(site_id: str, caller: Caller) -> ResponseReturnValue:
    services = current_services()
    site = acts.get(services, caller, site_id)
    origin = request.form.get("origin", "")
    acts.change_origins(
        services, caller, site_id, [one for one in site.allowed_origins if one != origin]
    )
    flash(said.origin_removed(origin), "good")
    return _back(site_id, "origins")


# --- secret keys ---------------------------------------------------------------------------------


@allow("user", role="owner")
def create_secret_key(site_id: str, caller: Caller) -> ResponseReturnValue:
    """Answers with the page instead of a redirect, because the key's clear text is shown in this
    one answer and stored nowhere."""
    services = current_services()
    mode: Literal["live", "test"] = "test" if request.form.get("mode") == "test" else "live"
    made = acts.create_secret_key(services, caller, site_id, mode)
    return _page(caller, acts.get(services, caller, site_id), new_secret=made.secret_key)


@allow("user", role="owner")
def revoke_secret_key(site_id: str, key_id: str, caller: Caller) -> ResponseReturnValue:
    services = current_services()
    acts.get(services, caller, site_id)
    acts.revoke_secret_key(services, caller, key_id)
    flash(said.key_revoked(), "good")
    return _back(site_id, "secret")
