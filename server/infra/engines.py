"""Presence and counters of engines, read from what their workers write to Redis. Knows no rows."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from gpu_worker import contract
from server.infra.redis import read_hash


@dataclass(frozen=True, slots=True)
class EnginePresence:
    """An engine as its live workers describe it. Without one, `licence` is empty."""

    name: str
    workers: int = 0
    licence: str = ""
    is_preview: bool = False

    @property
    def alive(self) -> bool:
        return self.workers > 0


def presence(redis: Redis, name: str) -> EnginePresence:
    """Presence of one engine, from the heartbeats of its workers.

    Raises:
        redis.RedisError: Redis is away.
    """
    mine = [words for words in workers(redis).values() if words.get("engine") == name]
    if not mine:
        return EnginePresence(name)
    return EnginePresence(
        name, len(mine), mine[0].get("licence", ""), mine[0].get("is_preview") in ("1", "true")
    )


def workers(redis: Redis) -> dict[str, dict[str, str]]:
    """The heartbeat of every live worker (a hash with a TTL), by worker id.

    Raises:
        redis.RedisError: Redis is away.
    """
    prefix = contract.worker_key("")
    keys = [key.decode() for key in redis.scan_iter(f"{prefix}*", count=1000)]
    with redis.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.hgetall(key)
        said = [_text(answer) for answer in pipe.execute()]
    return {key.removeprefix(prefix): words for key, words in zip(keys, said, strict=True) if words}


def counts(redis: Redis, engine: str) -> dict[str, int]:
    """Event counters summed over all workers of an engine; 0 for what never happened.

    Raises:
        redis.RedisError: Redis is away.
    """
    said = _text(read_hash(redis, contract.counts_key(engine)))
    words = {event: said.get(event, "") for event in contract.WORKER_COUNTS}
    return {event: int(word) if word.isdecimal() else 0 for event, word in words.items()}


def _text(answer: dict[bytes, bytes]) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in answer.items()}
