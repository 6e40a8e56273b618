"""The HTML snippets that a merchant pastes into her shop's pages."""

from __future__ import annotations

from markupsafe import escape

from server.infra.services import current_services


def script(publishable_key: str) -> str:
    """The script tag, needed once on each page that has a button."""
    source = f"{current_services().settings.server_url}/embed/v1/proteus.js"
    return f'<script async src="{source}" data-site="{escape(publishable_key)}"></script>'


def button(sku: str) -> str:
    """The button of one garment."""
    return f'<button type="button" data-proteus-garment="{escape(sku)}">Try it on</button>'
