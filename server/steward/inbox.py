"""The workers' events as they lie in Redis: read by one of a group, acknowledged after the commit.

Knows the stream and no row. What a steward read and did not acknowledge is read again, by itself
or by another: at least once, never lost.
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
CLAIM_AFTER_MS = 3000  # no transaction takes as long, so its reader is dead
FORGET_AFTER_MS = 3_600_000


@dataclass(slots=True)
class Mail:
    """What was read in one turn. `ids` holds the unreadable ones too, so that they are acked."""

    ids: list[bytes] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    unreadable: int = 0

    @property
    def is_full(self) -> bool:
        """Whether there is probably more where this came from."""
        return len(self.ids) >= MOST_AT_ONCE

    def add(self, entries: Iterable[tuple[bytes, dict[bytes, bytes] | None]]) -> None:
        for entry_id, fields in entries:
            self.ids.append(entry_id)
            try:
                self.events.append(Event.from_json((fields or {}).get(b"event", b"")))
            except ContractError as error:
                self.unreadable += 1
                log.error("unreadable event %s: %s", entry_id.decode(), error)


class Inbox:
    """One steward's view of the stream. Every method raises `redis.RedisError`."""

    def __init__(self, redis: Redis, name: str):
        self._redis = redis
        self._name = name
        self._owed = False  # read, but perhaps not acknowledged

    def read(self, wait_ms: int) -> Mail:
        """What is new; waits up to `wait_ms` for it. What was not acknowledged comes first."""
        mail = Mail()
        if self._owed:
            self._take("0", None, mail)
        if not mail.ids:
            self._take(">", wait_ms, mail)
        self._owed = bool(mail.ids)
        return mail

    def claim(self) -> Mail:
        """What a steward that is no more has read and left."""
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
        """Removes readers that owe nothing and have not been seen for an hour."""
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
        """Asks, and founds the group where Redis has forgotten it or never knew it."""
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
