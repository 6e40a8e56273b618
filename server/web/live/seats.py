"""Limits how many live sockets one caller has open, over all server processes.

A seat is a lease in a Redis sorted set, scored by its expiry and renewed by its process, so that
the seats of a dead process run out. While Redis is away each process counts its own. Must not know
sockets or rows.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from gpu_worker.contract import Backoff, forever, lua

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

RENEW_S = 5.0
SEAT_TTL_S = 20  # by Redis's own clock

_LUA = Path(__file__).with_name("lua")
_TAKE = lua(_LUA, "take_seat")
_RENEW = lua(_LUA, "renew_seats")


@dataclass(frozen=True, slots=True)
class Seat:
    """One open socket in one caller's count. `caller`: a mark of an address, or a shopper's id."""

    caller: str
    id: str


def seats_key(caller: str) -> str:
    return f"proteus:sockets:{caller}"


class Seats:
    """The seats that this process holds. Thread-safe; a thread of its own renews them."""

    def __init__(self, redis: Redis):
        self._redis = redis
        self._lock = threading.Lock()
        self._taken: set[Seat] = set()
        self._here: Counter[str] = Counter()
        self._is_renewing = False

    def take(self, caller: str, most: int) -> Seat | None:
        """Takes a seat; None if this caller has `most` already."""
        seat = Seat(caller, secrets.token_hex(8))
        with self._lock:
            if self._here[caller] >= most:
                return None
            self._here[caller] += 1
        if not self._has_room(seat, most):
            self._forget(seat)
            return None
        with self._lock:
            self._taken.add(seat)  # not before: `renew` would count it in Redis although refused
        return seat

    def leave(self, seat: Seat) -> None:
        """Gives a seat back. If Redis is away, it runs out there by itself."""
        self._forget(seat)
        try:
            self._redis.zrem(seats_key(seat.caller), seat.id)
        except RedisError as error:
            log.warning("a socket's seat runs out by itself: %s", error)

    def renew(self) -> None:
        """Renews the leases of this process's seats by SEAT_TTL_S. Raises RedisError."""
        with self._lock:
            taken = sorted((seat.caller, seat.id) for seat in self._taken)
        by_caller: dict[str, list[str]] = {}
        for caller, seat_id in taken:
            by_caller.setdefault(caller, []).append(seat_id)
        with self._redis.pipeline(transaction=False) as pipe:
            for caller, ids in by_caller.items():
                pipe.eval(_RENEW, 1, seats_key(caller), SEAT_TTL_S, *ids)
            pipe.execute()

    def _has_room(self, seat: Seat, most: int) -> bool:
        """Asks Redis, which counts the seats of all processes. True if it is away: `take` has
        checked this process's own."""
        key = seats_key(seat.caller)
        try:
            return bool(self._redis.eval(_TAKE, 1, key, seat.id, most, SEAT_TTL_S))
        except RedisError as error:
            log.warning("sockets are counted in this process alone: %s", error)
            return True

    def _forget(self, seat: Seat) -> None:
        with self._lock:
            self._taken.discard(seat)
            self._here[seat.caller] -= 1
            if not self._here[seat.caller]:
                del self._here[seat.caller]

    def start(self) -> None:
        """Starts the renewing thread, once. Called with the first socket, because a thread started
        before the server forks would not exist in its workers."""
        with self._lock:
            if self._is_renewing:
                return
            self._is_renewing = True
        threading.Thread(target=self._renew_for_ever, daemon=True).start()

    def _renew_for_ever(self) -> None:
        says = "sockets' seats are renewed later: %(error)s"
        backoff = Backoff(log, (RedisError,), says, 0.0, 0.0, "sockets' seats are not renewed")
        forever(self.renew, backoff, every_s=RENEW_S)
