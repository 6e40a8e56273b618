"""Consumer of the workers' events: a consumer group on a Redis stream, delivery at least once.

Must not know rows. An event that a steward has read and not acknowledged is read again, by itself
or by another steward.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from redis import Redis
from redis.exceptions import ResponseError

from gpu_worker.contract import EVENTS, STEWARDS, ContractError, Event

R = TypeVar("R")
log = logging.getLogger(__name__)

MOST_AT_ONCE = 500
CLAIM_AFTER_MS = 3000  # no transaction takes this long, so the event's reader is dead
FORGET_AFTER_MS = 3_600_000


@dataclass(slots=True)
class Mail:
    """A batch of events. `ids` includes unreadable entries, so that they are acknowledged, too."""

    ids: list[bytes] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    unreadable: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the stream probably holds more."""
        return len(self.ids) >= MOST_AT_ONCE

    def add(self, entries: Iterable[tuple[bytes, dict[bytes, bytes] | None]]) -> None:
        for entry_id, fields in entries:
            self.ids.append(entry_id)
            try:  # an entry that is read again has no fields if it was trimmed meanwhile
                self.events.append(Event.from_json((fields or {}).get(b"event", b"")))
            except ContractError as error:
                self.unreadable += 1
                log.error("unreadable event %s: %s", entry_id.decode(), error)


class Inbox:
    """One consumer of the group, used by one steward in one thread. Every method raises
    `redis.RedisError` if Redis is away."""

    def __init__(self, redis: Redis, name: str):
        self._redis = redis
        self._name = name
        self._owed = False  # this consumer may have read entries and not acknowledged them

    def read(self, wait_ms: int) -> Mail:
        """The next batch; waits up to `wait_ms` for new events. Entries that this consumer has read
        and not acknowledged come first."""
        mail = Mail()
        if self._owed:
            self._take("0", None, mail)
        if not mail.ids:
            self._take(">", wait_ms, mail)
        self._owed = bool(mail.ids)
        return mail

    def claim(self) -> Mail:
        """Takes over what a dead steward has read and not acknowledged (XAUTOCLAIM)."""
        mail = Mail()
        answer = self._with_group(
            lambda: self._redis.xautoclaim(
                EVENTS, STEWARDS, self._name, CLAIM_AFTER_MS, count=MOST_AT_ONCE
            )
        )
        mail.add(answer[1])
        self._owed = self._owed or bool(mail.ids)
        return mail

    def acknowledge(self, mail: Mail) -> None:
        if mail.ids:
            self._redis.xack(EVENTS, STEWARDS, *mail.ids)
            self._owed = False

    def forget_the_dead(self) -> None:
        """Removes consumers that have nothing pending and were idle for an hour."""
        readers = self._with_group(lambda: self._redis.xinfo_consumers(EVENTS, STEWARDS))
        for reader in readers:
            if reader["pending"] == 0 and reader["idle"] > FORGET_AFTER_MS:
                self._redis.xgroup_delconsumer(EVENTS, STEWARDS, reader["name"])

    def _take(self, after: str, wait_ms: int | None, mail: Mail) -> None:
        answer: Any = self._with_group(
            lambda: self._redis.xreadgroup(
                STEWARDS, self._name, {EVENTS: after}, count=MOST_AT_ONCE, block=wait_ms
            )
        )
        streams = answer.items() if isinstance(answer, dict) else answer or ()
        for _, entries in streams:
            mail.add(entries)

    def _with_group(self, ask: Callable[[], R]) -> R:
        """Runs a command; creates the consumer group and repeats it if Redis has no such group."""
        try:
            return ask()
        except ResponseError as error:
            if "NOGROUP" not in str(error) and "no such key" not in str(error):
                raise
        self._found_group()
        return ask()

    def _found_group(self) -> None:
        try:
            self._redis.xgroup_create(EVENTS, STEWARDS, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
