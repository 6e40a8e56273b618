"""Typed wrappers of Redis commands: redis-py's types allow for decoded answers, ours are bytes.

Knows no key and no row. Whatever asks Redis raises `redis.RedisError` if it is away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.typing import EncodableT, FieldT


def read_hash(redis: Redis, key: str) -> dict[bytes, bytes]:
    found: Any = redis.hgetall(key)
    fields: dict[bytes, bytes] = found
    return fields


def read_set(redis: Redis, key: str) -> set[bytes]:
    found: Any = redis.smembers(key)
    members: set[bytes] = found
    return members


def read_list(redis: Redis, key: str) -> list[bytes]:
    found: Any = redis.lrange(key, 0, -1)
    members: list[bytes] = found
    return members


def take(redis: Redis, key: str) -> bytes | None:
    """Reads and deletes a key in one command (GETDEL), so that only one caller gets the value."""
    found: Any = redis.getdel(key)
    value: bytes | None = found
    return value


def fields_of(words: Mapping[str, str | float]) -> dict[FieldT, EncodableT]:
    """A copy of a mapping in the type that redis-py's `hset` takes, which is invariant."""
    return dict(words.items())
