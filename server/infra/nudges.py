"""Change notifications over Redis pub/sub: `id version owner`, to every server process.

Owns publisher and subscriber. Must not know sockets and reads no row; a lost nudge costs only time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError

from gpu_worker.contract import NUDGES, ContractError, Nudge

log = logging.getLogger(__name__)

SILENCE_S = 2.0  # without a message for this long: ping Redis
DEAD_S = 5.0  # without a message or pong for this long: treat the connection as dead
MOST_AT_ONCE = 1000
NOBODY = "-"


class Owned(Protocol):
    """Any row whose changes are announced."""

    id: str
    version: int
    merchant_id: str
    site_id: str


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of a row in a nudge; `shopper_id` None for what belongs to the site alone."""

    merchant_id: str
    site_id: str
    shopper_id: str | None = None

    def __str__(self) -> str:
        return f"{self.merchant_id}/{self.site_id}/{self.shopper_id or NOBODY}"

    @classmethod
    def parse(cls, text: str) -> Owner:
        """The inverse of `str`. Raises ContractError for any other text."""
        parts = text.split("/")
        if len(parts) != 3 or not all(parts):
            raise ContractError(f"not an owner: {text!r}")
        return cls(parts[0], parts[1], None if parts[2] == NOBODY else parts[2])


def owner_of(row: Owned) -> Owner:
    return Owner(row.merchant_id, row.site_id, getattr(row, "shopper_id", None))


def of(row: Owned) -> Nudge:
    """The nudge that announces a row's present version."""
    return Nudge(row.id, row.version, str(owner_of(row)))


def gone(row: Owned) -> Nudge:
    """The nudge for a row about to be deleted; its version is above every earlier one."""
    return Nudge(row.id, row.version + 1, str(owner_of(row)))


def publish(redis: Redis, nudges: Iterable[Nudge]) -> None:
    """Publishes to every server process, in one round trip. Call it after the commit.

    Does not raise if Redis is away: sockets are sent the present state when it is back.
    """
    with redis.pipeline(transaction=False) as pipe:
        for nudge in nudges:
            pipe.publish(NUDGES, nudge.to_text())
        try:
            pipe.execute()
        except RedisError as error:
            log.warning("nudges lost: %s", error)


@dataclass(slots=True)
class Heard:
    """What one call of `listen` received. `subscribed`: a (re)subscription was confirmed, so nudges
    before it may be lost."""

    subscribed: bool = False
    nudges: list[Nudge] = field(default_factory=list)


class Listener:
    """The subscription of one process; used by one thread. Survives an outage of Redis and reports
    when it is back.

    redis-py resubscribes silently. Redis' confirmation of the subscription is the only sign that
    messages may be missing, so it is not skipped here.
    """

    def __init__(self, redis: Redis):
        self._redis = redis
        self._pubsub: PubSub | None = None
        self._heard_at = 0.0
        self._asked_at = 0.0

    def listen(self, timeout_s: float) -> Heard:
        """Waits up to `timeout_s` for a message, then takes all that have arrived (at most
        MOST_AT_ONCE nudges).

        Raises:
            RedisError, OSError: Redis is away; the next call subscribes again.
        """
        try:
            return self._listen(timeout_s)
        except (RedisError, OSError):
            self.close()
            raise

    def close(self) -> None:
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None

    def _listen(self, timeout_s: float) -> Heard:
        heard = Heard()
        pubsub = self._subscription()
        message = pubsub.get_message(timeout=timeout_s)
        while message is not None:
            self._heard_at = time.monotonic()
            self._note(message["type"], message["data"], heard)
            full = len(heard.nudges) >= MOST_AT_ONCE
            message = None if full else pubsub.get_message(timeout=0)
        self._ask_whether_alive(pubsub)
        return heard

    def _subscription(self) -> PubSub:
        if self._pubsub is None:
            self._pubsub = self._redis.pubsub()  # type: ignore[no-untyped-call]
            self._pubsub.subscribe(NUDGES)
            self._heard_at = self._asked_at = time.monotonic()
        return self._pubsub

    def _note(self, kind: str, data: bytes, heard: Heard) -> None:
        if kind == "subscribe":
            heard.subscribed = True
        elif kind == "message":
            try:
                heard.nudges.append(Nudge.from_text(data))
            except (ContractError, UnicodeDecodeError) as error:
                log.warning("unreadable nudge: %s", error)

    def _ask_whether_alive(self, pubsub: PubSub) -> None:
        """Pings a silent connection: one that died without a FIN (a lost host) looks like a quiet
        one for ever. Raises RedisError after DEAD_S."""
        now = time.monotonic()
        if now - self._heard_at > DEAD_S:
            raise RedisError(f"no word from Redis for {DEAD_S:g} s")
        if now - self._heard_at > SILENCE_S and now - self._asked_at > SILENCE_S:
            self._asked_at = now
            pubsub.ping()
