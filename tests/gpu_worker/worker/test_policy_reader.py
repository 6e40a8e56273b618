"""How a worker comes to its slots and tier: the arbitrator's word, or its own law."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from gpu_worker import contract
from gpu_worker.arbitrator import set_override
from gpu_worker.config import Settings
from gpu_worker.contract import LADDER, Lane
from gpu_worker.control import Override
from gpu_worker.engines.null import NullEngine
from gpu_worker.fetcher.fetcher import Fetcher
from gpu_worker.queue.redis import redis_client
from gpu_worker.worker.policy import PolicyReader, WorkerPolicy
from server.infra.jobs import Jobs
from tests.waiting import wait_for

SETTINGS = Settings()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with redis_client(redis_url) as client:
        yield client


def reader(redis: Redis, max_slots: int = 8, **changes: Any) -> PolicyReader:
    engine = NullEngine(3, 60, 50, max_slots=max_slots)
    return PolicyReader(redis, engine, SETTINGS.model_copy(update=changes))


def say(redis: Redis, ttl_ms: int | None = None, **fields: Any) -> None:
    words: dict[Any, Any] = fields
    redis.hset(contract.policy_key("null"), mapping=words)
    if ttl_ms:
        redis.pexpire(contract.policy_key("null"), ttl_ms)


def measured(redis: Redis) -> None:
    """This worker's heartbeat, as the law will read it."""
    steps: dict[Any, Any] = {f"step_ms:768x1024:{b}": 3 + 60 * b for b in (1, 2, 4, 8)}
    about: dict[Any, Any] = {"engine": "null", "device": "none", "max_slots": 8, "steps:full": 50}
    redis.sadd("rq:workers", "rq:worker:null-here-1-a")
    redis.hset(contract.worker_key("null-here-1-a"), mapping={**steps, **about})


def waiting(redis: Redis, count: int) -> None:
    for n in range(count):
        job = contract.TryOnJob(
            merchant_id="mer_ada",
            site_id="sit_1",
            accepted_at_ms=0,
            try_on_id=f"try_{n}",
            engine="null",
            category=contract.Category.UPPER,
            photo_key="p",
            garment_key="g",
            result_key="r",
        )
        Jobs(redis).enqueue(job, "null", Lane.LIVE)


def test_it_does_what_the_arbitrator_says(redis: Redis) -> None:
    say(redis, batch_size=3, max_wait_ms=20, tier="small")
    assert reader(redis).read(time.time()) == WorkerPolicy(3, 0.02, LADDER[-1])


WITHIN = [
    ({"batch_size": 99}, 8),
    ({"batch_size": 0}, 1),
    ({"batch_size": 2, "tier": "moon"}, 2),
    ({"tier": "full"}, 4),
]


@pytest.mark.parametrize(("fields", "slots"), WITHIN)
def test_what_it_says_is_held_within_the_engines_bounds(
    redis: Redis, fields: dict[str, Any], slots: int
) -> None:
    say(redis, **fields)
    assert reader(redis).read(time.time()) == WorkerPolicy(slots, 0.1, LADDER[0])


def test_before_anything_is_known_the_default_holds(redis: Redis) -> None:
    assert reader(redis).current == WorkerPolicy(4, 0.1, LADDER[0])
    assert reader(redis, max_slots=2).read(time.time()).slots == 2


def test_alone_it_applies_the_same_law_to_what_it_sees(redis: Redis) -> None:
    measured(redis)
    made = reader(redis)
    assert made.read(time.time()) == WorkerPolicy(1, 0.1, LADDER[0])
    waiting(redis, 40)
    assert made.read(time.time()).tier.name == "small"


def test_a_tier_whose_policy_went_does_not_stick(redis: Redis) -> None:
    measured(redis)
    say(redis, ttl_ms=200, batch_size=1, tier="small")
    made = reader(redis)
    assert made.read(time.time()).tier.name == "small"
    wait_for(lambda: not redis.exists(contract.policy_key("null")))
    assert made.read(time.time()).tier.name == "full"


def test_alone_it_obeys_the_operator(redis: Redis) -> None:
    measured(redis)
    set_override(redis, "null", Override(batch_size=5, tier="steps_20"), for_s=60)
    assert reader(redis).read(time.time()) == WorkerPolicy(5, 0.1, LADDER[2])


def test_a_batch_size_that_is_set_holds_while_nobody_rules(redis: Redis) -> None:
    measured(redis)
    made = reader(redis, batch_size=6)
    assert made.read(time.time()).slots == 6
    say(redis, batch_size=2)
    assert made.read(time.time()).slots == 2


def test_an_engine_that_waits_more_than_it_computes_keeps_its_slots(redis: Redis) -> None:
    engine = Fetcher(at_once=6, per_merchant=2)
    patient = PolicyReader(redis, engine, SETTINGS)
    assert patient.current.slots == 6
    assert patient.read(time.time()).slots == 6
    words: dict[Any, Any] = {"batch_size": 1}
    redis.hset(contract.policy_key(engine.name), mapping=words)
    assert patient.read(time.time()).slots == 6
