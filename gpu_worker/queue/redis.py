"""The Redis client of worker, arbitrator and benchmarks, with one set of options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry
from redis.typing import EncodableT, FieldT


def redis_client(url: str) -> Redis:
    """Short timeouts and few tries: a hung Redis must not hang a worker for a minute."""
    return Redis.from_url(
        url,
        socket_timeout=1.0,
        socket_connect_timeout=1.0,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), 2),
        health_check_interval=15,
    )


def fields_of(words: Mapping[str, str | float]) -> dict[FieldT, EncodableT]:
    """A hash to write, in the type that redis-py demands (its `dict` is invariant)."""
    return dict(words.items())


def read_hash(connection: Redis, key: str) -> dict[bytes, bytes]:
    """All fields of a hash, as bytes: redis-py's type also allows text, but our clients never
    decode."""
    found: Any = connection.hgetall(key)
    fields: dict[bytes, bytes] = found
    return fields


def read_set(connection: Redis, key: str) -> set[bytes]:
    """All members of a set, as bytes."""
    found: Any = connection.smembers(key)
    members: set[bytes] = found
    return members
