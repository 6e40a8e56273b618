"""Whether a place in line, or a time, is news: pure arithmetic over one engine's try-ons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from server.domain.try_ons.pace import Pace

# What she was told she must still wait never grows by more than a fifth at once: by a little less
# here, since tenths are rounded and words take time on their way.
MOST_RISE = 1.15
SLACK_S = 1.0
# A page does not count: it is told again when the seconds left pass one of these.
MARKS_S = (5, 10, 15, 20, 30, 40, 50, 60, 75, 90, 120, 180, 240, 300, 600)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an unfinished try-on stands: 1 = next, None = it runs. `ready_at` None: unknown."""

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
    """The new places of those whose row shows another position, or another time. `left_s`: what
    each running one still needs; `since`: when one looked last.

    One that neither waits nor runs is being claimed or put back just now: no news of it.
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
    if pace.picture_s is None or not positions:
        return dict.fromkeys(positions)
    by_place = list(islice(pace.waits(), max(positions.values())))
    return {row_id: by_place[place - 1] for row_id, place in positions.items()}


def _soften(told: datetime | None, wait_s: float | None, now: datetime) -> datetime | None:
    if wait_s is None:
        return None
    if told is not None:
        wait_s = min(wait_s, MOST_RISE * max(_left(told, now), SLACK_S))
    return now + timedelta(seconds=wait_s)


def _is_news(told: Place, place: Place, now: datetime) -> bool:
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
