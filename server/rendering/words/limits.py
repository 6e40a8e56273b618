"""Limits of pictures as sentences name them, formatted from the app's settings.

Outside an app context (in a tool, or a test of one card) from the settings' defaults.
"""

from __future__ import annotations

from math import floor

from babel.numbers import format_decimal
from flask import has_app_context

from server.config import Settings
from server.infra.services import current_services
from server.rendering.words.language import gettext as _
from server.rendering.words.language import locale

_DEFAULTS = Settings.model_construct()
_KIB, _MIB = 1024, 1024 * 1024


def settings() -> Settings:
    return current_services().settings if has_app_context() else _DEFAULTS


def named() -> dict[str, str]:
    """The placeholders that a sentence about a limit may use."""
    now = settings()
    return {
        "largest_file": size(now.max_upload_bytes),
        "least_side_px": str(now.min_photo_side_px),
        "most_megapixels": format_decimal(now.max_pixels / 1e6, "0.##", locale=locale()),
    }


def size(size_bytes: int) -> str:
    """`10 MB`, `1.5 MB`, `300 KB`: as files are sized on a screen, and never more than it is."""
    if size_bytes < _MIB:
        return _("%(number)s KB", number=_tenths(size_bytes / _KIB))
    return _("%(number)s MB", number=_tenths(size_bytes / _MIB))


def _tenths(number: float) -> str:
    return format_decimal(floor(number * 10) / 10, "0.#", locale=locale())
