"""What a merchant pastes into her shop, word for word."""

from __future__ import annotations

from markupsafe import escape

from server.infra.services import current_services


def script(publishable_key: str) -> str:
    """Once on each page that has a button."""
    source = f"{current_services().settings.server_url}/embed/v1/proteus.js"
    return f'<script async src="{source}" data-site="{escape(publishable_key)}"></script>'


def button(sku: str) -> str:
    """Once for each garment."""
    return f'<button type="button" data-proteus-garment="{escape(sku)}">Try it on</button>'
