"""Health checks, one for each kind of part. Each answers within about a second, never raises."""

from __future__ import annotations

import urllib.request
from contextlib import suppress

import redis

from gpu_worker import contract

TIMEOUT_S = 1.0


def answers(url: str) -> bool:
    """Whether a GET request is answered with 200."""
    with suppress(OSError), urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310
        return bool(answer.status == 200)
    return False


def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True
    )


def pings(redis_url: str) -> bool:
    """Whether Redis answers PING; not while it still loads its data."""
    with suppress(redis.RedisError, OSError), _client(redis_url) as client:
        return bool(client.ping())
    return False


def worker_lives(redis_url: str, pid: int) -> bool:
    """Whether there is a heartbeat of the worker with this pid; the first comes after warm-up."""
    with suppress(redis.RedisError, OSError), _client(redis_url) as client:
        keys = client.scan_iter(contract.worker_key("*"), count=1000)
        return any(client.hget(key, "pid") == str(pid) for key in keys)
    return False


def steward_lives(redis_url: str, pid: int) -> bool:
    with suppress(redis.RedisError, OSError), _client(redis_url) as client:
        return f"-{pid}-" in str(client.hget(contract.STEWARD, "name"))
    return False


def arbitrator_leads(redis_url: str) -> bool:
    """Whether any arbitrator leads: if it is another one, ours is a healthy standby."""
    with suppress(redis.RedisError, OSError), _client(redis_url) as client:
        return bool(client.exists(contract.ARBITRATOR))
    return False
