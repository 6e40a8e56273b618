"""Publishes events on the Redis stream, from which the steward changes rows (at least once).

Knows the stream. An event is only a hint: results are stored before it is sent.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gpu_worker import contract
from gpu_worker.contract import Event, EventData, EventType, Subject

if TYPE_CHECKING:
    from redis import Redis

STREAM_LENGTH = 100_000
RUNNING_EVERY_S = 0.25


class Events:
    """Publisher of a worker's events."""

    def __init__(self, connection: Redis):
        self._connection = connection

    def send(self, subject: Subject, about: str, kind: EventType, data: EventData) -> None:
        event = Event(
            subject=subject, id=about, type=kind, at_ms=round(time.time() * 1000), data=data
        )
        self._connection.xadd(
            contract.EVENTS, {"event": event.to_json()}, maxlen=STREAM_LENGTH, approximate=True
        )


class Pace:
    """Rate limit of `running` events: at most four a second for each sample, the first at once."""

    def __init__(self, every_s: float = RUNNING_EVERY_S):
        self._every_s = every_s
        self._last: dict[str, float] = {}

    def is_due(self, sample_id: str, now: float) -> bool:
        if now - self._last.get(sample_id, float("-inf")) < self._every_s:
            return False
        self._last[sample_id] = now
        return True

    def forget(self, sample_id: str) -> None:
        self._last.pop(sample_id, None)
