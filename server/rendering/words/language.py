"""Translation by Flask-Babel; English if there is no catalogue.

Outside an app context (in a tool, or a test of one card) it is English, too.
"""

from __future__ import annotations

from pathlib import Path

import flask_babel
from babel import Locale
from flask import Flask
from jinja2 import Environment

CATALOGUES = Path(__file__).parent / "catalogues"
SOURCE = Locale("en")  # what the sentences are written in


def init_app(app: Flask) -> None:
    flask_babel.Babel(app, default_translation_directories=str(CATALOGUES))


def install(environment: Environment) -> None:
    """Gives `_` and `ngettext` to an environment that is not the app's own."""
    environment.add_extension("jinja2.ext.i18n")
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=lambda text: flask_babel.get_translations().ugettext(text),
        ngettext=lambda one, many, num: flask_babel.get_translations().ungettext(one, many, num),
        newstyle=True,
    )


def N_(text: str) -> str:  # noqa: N802 - gettext's name for it
    """Marks a sentence of a table for the catalogues; whoever says it translates it."""
    return text


def gettext(text: str, **named: object) -> str:
    said: str = flask_babel.gettext(text, **named)
    return said


def ngettext(one: str, many: str, num: int) -> str:
    said: str = flask_babel.ngettext(one, many, num)
    return said


def locale() -> Locale:
    found: Locale | None = flask_babel.get_locale()
    return found or SOURCE
