"""The proxy between a client and a real Redis: what it cuts, loses and lets through."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import redis

from tests.proxy import Proxy, proxy


@pytest.fixture
def way(redis_url: str) -> Iterator[Proxy]:
    parts = urlsplit(redis_url)
    with proxy(str(parts.hostname), int(parts.port or 0)) as made:
        yield made


@pytest.fixture
def client(way: Proxy) -> Iterator[redis.Redis]:
    """A client without retries, which would hide a lost reply."""
    none = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    with redis.Redis(host="127.0.0.1", port=way.port, retry=none, socket_timeout=5) as made:
        made.ping()
        yield made


def test_it_forwards(client: redis.Redis) -> None:
    client.set("a", "1")
    assert client.get("a") == b"1"


def test_a_lost_answer_was_carried_out_and_is_lost_once(way: Proxy, client: redis.Redis) -> None:
    loss = way.lose_answer(b"INCR")
    assert client.get("count") is None
    with pytest.raises(redis.ConnectionError):
        client.incr("count")
    assert loss.happened.is_set()
    assert client.incr("count") == 2


def test_only_the_answer_that_is_meant_is_lost(way: Proxy, client: redis.Redis) -> None:
    client.mset({"a": "one", "b": "two"})
    loss = way.lose_answer(b"GET", b"two")
    assert client.get("a") == b"one"
    assert not loss.happened.is_set()
    with pytest.raises(redis.ConnectionError):
        client.get("b")
    assert client.get("b") == b"two"


def test_with_the_answer_everything_may_go(way: Proxy, client: redis.Redis) -> None:
    way.lose_answer(b"INCR", then_cut=True)
    with pytest.raises(redis.ConnectionError):
        client.incr("count")
    with pytest.raises(redis.ConnectionError):
        client.ping()
    way.restore()
    assert client.get("count") == b"1"
