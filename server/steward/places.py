"""Whether a place in line is news: pure arithmetic over one engine's queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from server.pace import Pace, eta_s


@dataclass(frozen=True, slots=True)
class Place:
    """Where a queued try-on stands: 1 = next. `eta_s` None: nothing is known."""

    position: int | None
    eta_s: float | None


def moved(told: Mapping[str, Place], positions: Mapping[str, int], pace: Pace) -> dict[str, Place]:
    """The new places of those whose row shows another position, or another time.

    One that is in no line is being claimed or put back just now: no news of it.
    A time that only counts down with the clock is no news either, the screen counts by itself.
    """
    now = {
        row_id: Place(position, eta_s(position, pace))
        for row_id, position in positions.items()
        if row_id in told
    }
    return {row_id: place for row_id, place in now.items() if _is_news(told[row_id], place)}


def _is_news(told: Place, place: Place) -> bool:
    if told.position != place.position:
        return True
    if told.eta_s is None or place.eta_s is None:
        return told.eta_s is not place.eta_s
    return abs(told.eta_s - place.eta_s) > max(2.0, told.eta_s / 5)
