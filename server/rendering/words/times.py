"""Time spans and queue positions in words."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import inf
from typing import Literal

from babel.dates import format_timedelta
from babel.units import format_unit

from server.models import now
from server.rendering.words.language import gettext as _
from server.rendering.words.language import locale, ngettext


def roughly(seconds: float) -> str:
    """A span as one says it: `a few seconds`, `about 20 seconds`, `about 3 minutes`."""
    if seconds <= 5:
        return _("a few seconds")
    if seconds >= 90:
        return _("about %(time)s", time=_counted(round(seconds / 60), "minute"))
    rounded = round(seconds) if seconds < 20 else 5 * round(seconds / 5)
    return _("about %(time)s", time=_counted(rounded, "second"))


def span(seconds: float) -> str:
    """`12 minutes`, `24 hours`; never days, so that nobody counts from midnight."""
    minutes = max(1, round(seconds / 60))
    return _counted(minutes, "minute") if minutes < 60 else _counted(round(minutes / 60), "hour")


def left(until: datetime) -> str:
    """How long something is still kept."""
    return span((until - now()).total_seconds())


def ago(then: datetime) -> str:
    """Whole minutes, then whole hours, that have passed."""
    seconds = max(0.0, (now() - then).total_seconds())
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        return _past(timedelta(minutes=seconds // 60), "minute")
    return _past(timedelta(hours=seconds // 3600), "hour")


def place(position: int | None) -> str:
    """Where she stands; position 1 is the next to be drawn."""
    if position is None:
        return _("Your picture is in line")
    if position <= 1:
        return _("You're next")
    return ngettext("%(num)s person ahead of you", "%(num)s people ahead of you", position - 1)


def _counted(number: int, unit: str) -> str:
    return format_unit(number, f"duration-{unit}", "long", locale=locale())


def _past(passed: timedelta, unit: Literal["minute", "hour"]) -> str:
    """`threshold`: no larger unit is ever reached, so that 30 hours are no day."""
    return format_timedelta(
        -passed, granularity=unit, threshold=inf, add_direction=True, locale=locale()
    )
