"""Nudges on a real Redis: said, heard, and what happens when the connection is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from redis import Redis
from redis.exceptions import RedisError

from gpu_worker.contract import NUDGES, Nudge
from server.infra import nudges
from server.infra.jobs import connect
from server.infra.nudges import Heard, Listener
from server.models import Garment, TryOn

ROW = TryOn(id="try_1", version=3, merchant_id="mer_1", site_id="sit_1", shopper_id="sho_1")


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def listener(redis_url: str) -> Iterator[Listener]:
    with connect(redis_url) as client:
        listener = Listener(client)
        yield listener
        listener.close()


def hear(listener: Listener, within_s: float = 5) -> Heard:
    """The next turn that brings something; the listener may lose its connection on the way."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            heard = listener.listen(0.1)
        except RedisError:
            continue
        if heard.subscribed or heard.nudges:
            return heard
    raise AssertionError("nothing was heard")


def test_a_nudge_says_whose_row_stands_at_which_version() -> None:
    assert nudges.of(ROW) == Nudge("try_1", 3, "mer_1/sit_1/sho_1")
    garment = Garment(id="gar_1", version=1, merchant_id="mer_1", site_id="sit_1")
    assert nudges.of(garment).owner == "mer_1/sit_1/-"
    assert nudges.gone(ROW).version == 4


def test_what_is_said_is_heard_after_the_subscription(redis: Redis, listener: Listener) -> None:
    assert hear(listener) == Heard(subscribed=True)
    said = [nudges.of(ROW), nudges.gone(ROW)]
    nudges.publish(redis, said)
    heard = hear(listener)
    assert (heard.nudges, heard.subscribed) == (said, False)


def test_nonsense_on_the_channel_is_passed_over(redis: Redis, listener: Listener) -> None:
    hear(listener)
    for nonsense in (b"", b"try_1", b"try_1 x mer/sit/-", b"\xff\xfe 1 x"):
        redis.publish(NUDGES, nonsense)
    nudges.publish(redis, [nudges.of(ROW)])
    assert hear(listener).nudges == [nudges.of(ROW)]


def test_a_lost_connection_is_told_by_the_next_subscription(
    redis: Redis, listener: Listener
) -> None:
    hear(listener)
    redis.client_kill_filter(_type="pubsub")
    assert hear(listener).subscribed
    nudges.publish(redis, [nudges.of(ROW)])
    assert hear(listener).nudges == [nudges.of(ROW)]


def test_nudges_to_a_dead_redis_are_lost_without_harm() -> None:
    nudges.publish(connect("redis://127.0.0.1:1/0"), [nudges.of(ROW)])
