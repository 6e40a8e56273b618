"""The worker's Redis client: one set of options for worker, arbitrator and benchmarks."""

from __future__ import annotations

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry


def redis_client(url: str) -> Redis:
    """Short timeouts and few tries: a hung Redis must not hang a worker for a minute."""
    return Redis.from_url(
        url,
        socket_timeout=1.0,
        socket_connect_timeout=1.0,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), 2),
        health_check_interval=15,
    )
