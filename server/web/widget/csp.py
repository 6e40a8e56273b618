"""Content-security policy of the widget's document: what it may load, and who may frame it."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response

from server.domain import sites
from server.infra.errors import Problem
from server.infra.services import Services
from server.models import Site
from server.rendering import csp


def policy(store_origin: str, server_url: str, origins: list[str]) -> str:
    """The header's value: loads from us and the store only, framed by the site's `origins` only."""
    return csp.policy(
        script_src=csp.SELF,
        style_src=csp.SELF,
        img_src=(*csp.SELF, store_origin),
        connect_src=(*csp.SELF, csp.socket_origin(server_url), store_origin),
        base_uri=csp.SELF,
        form_action=csp.NOBODY,
        frame_ancestors=origins,
    )


def guard(services: Services, site: Site, response: Response) -> Response:
    """Sets the policy and related headers for this site's document on a response."""
    response.headers["Content-Security-Policy"] = policy(
        _store_origin(services), services.settings.server_url, ancestors(site)
    )
    response.headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=()"
    response.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"  # it is always framed
    return response


def ancestors(site: Site) -> list[str]:
    """The site's allowed origins, checked again: whatever a row holds, only origins may get into a
    header (header injection)."""
    return [origin for origin in site.allowed_origins if _is_origin(origin)]


def _is_origin(value: object) -> bool:
    try:
        return isinstance(value, str) and sites.check_origin(value) == value
    except (Problem, ValueError):
        return False


def _store_origin(services: Services) -> str:
    """The store's origin, taken from a presigned URL: without an endpoint setting it depends on the
    bucket."""
    parts = urlsplit(services.store.presign_get("-"))
    return f"{parts.scheme}://{parts.netloc}"
