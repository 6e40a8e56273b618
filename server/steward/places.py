"""Decides which queue positions and expected times are worth sending. Pure arithmetic over the
try-ons of one engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from server.domain.try_ons.pace import Pace

# A shopper's remaining time never grows by more than a fifth at once. The factor is a little less,
# because tenths are rounded and messages take time.
MOST_RISE = 1.15
SLACK_S = 1.0
# A page has no timer of its own: it is sent a new time when the seconds left pass one of these.
MARKS_S = (5, 10, 15, 20, 30, 40, 50, 60, 75, 90, 120, 180, 240, 300, 600)


@dataclass(frozen=True, slots=True)
class Place:
    """Queue position of an unfinished try-on (1 = next, None = running) and when its picture is
    expected (None = unknown)."""

    position: int | None
    ready_at: datetime | None


def moved(
    told: Mapping[str, Place],
    positions: Mapping[str, int],
    left_s: Mapping[str, float],
    pace: Pace,
    now: datetime,
    since: datetime | None = None,
) -> dict[str, Place]:
    """The try-ons whose row must be updated, with their new places.

    `told`: the places on the rows; `positions`: of those that wait; `left_s`: seconds that running
    ones still need; `since`: when this was last computed, None for never. A try-on that neither
    waits nor runs is just being claimed or put back, and is left out.
    """
    waits = _waits(positions, pace) | dict(left_s)
    news = {}
    for row_id, wait_s in waits.items():
        if row_id in told:
            place = Place(positions.get(row_id), _soften(told[row_id].ready_at, wait_s, now))
            if _is_news(told[row_id], place, now) or _has_passed_a_mark(place, since, now):
                news[row_id] = place
    return news


def _waits(positions: Mapping[str, int], pace: Pace) -> dict[str, float | None]:
    """Seconds until the picture of each waiting try-on; None while the pace is unknown."""
    if pace.picture_s is None or not positions:
        return dict.fromkeys(positions)
    by_place = list(islice(pace.waits(), max(positions.values())))
    return {row_id: by_place[place - 1] for row_id, place in positions.items()}


def _soften(told: datetime | None, wait_s: float | None, now: datetime) -> datetime | None:
    """The expected time, limited so that the wait grows by at most MOST_RISE over what was told."""
    if wait_s is None:
        return None
    if told is not None:  # SLACK_S: a time that has passed must be able to grow again
        wait_s = min(wait_s, MOST_RISE * max(_left(told, now), SLACK_S))
    return now + timedelta(seconds=wait_s)


def _is_news(told: Place, place: Place, now: datetime) -> bool:
    """Whether the position differs, or the time by more than a fifth of the seconds left."""
    if told.position != place.position:
        return True
    if told.ready_at is None or place.ready_at is None:
        return told.ready_at is not place.ready_at
    off_s = abs((told.ready_at - place.ready_at).total_seconds())
    return off_s > max(SLACK_S, _left(told.ready_at, now) / 5)


def _has_passed_a_mark(place: Place, since: datetime | None, now: datetime) -> bool:
    if place.ready_at is None or since is None:
        return False
    before, left = _left(place.ready_at, since), _left(place.ready_at, now)
    return any(left <= mark < before for mark in MARKS_S)


def _left(at: datetime, now: datetime) -> float:
    return (at - now).total_seconds()
