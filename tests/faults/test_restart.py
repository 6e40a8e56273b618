"""23: everything is started anew on a Redis that was kept, and then stands idle."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from gpu_worker import contract
from gpu_worker.contract import Law
from tests.faults.whole_service import WholeService
from tests.stage import ENGINE
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

# One step of 0.4 s. Taken for fifty it were 20 s, far beyond three times the target.
SLOW = {"PROTEUS_NULL_CURVE": "0,400,1", "PROTEUS_TARGET_S": "1", "PROTEUS_BATCH_SIZE": ""}


def _policy(redis: Redis) -> contract.Policy | None:
    hash_: Any = redis.hgetall(contract.policy_key(ENGINE))
    return contract.Policy.from_redis(hash_)


def _is_predicted(redis: Redis) -> bool:
    policy = _policy(redis)
    return policy is not None and policy.law is Law.LEARNED and policy.predicted_s > 0


def test_an_idle_system_that_was_started_anew_draws_for_whoever_comes(
    service: WholeService,
) -> None:
    redis = service.house.redis
    service.serve()
    service.steward()
    processes = [service.arbitrate(**SLOW), service.work(**SLOW)]
    service.ask()
    wait_for(lambda: redis.keys("proteus:curve:*"))
    service.settle()
    for child in processes:
        service.kill(child)
    # As if these had run out meanwhile: what a worker measured ends with it, the curve stays.
    redis.delete(contract.policy_key(ENGINE), *redis.keys(contract.worker_key("*")))

    service.arbitrate(**SLOW)
    service.work(**SLOW)
    wait_for(lambda: _is_predicted(redis))
    policy = _policy(redis)
    assert policy is not None
    assert (policy.retry_after_s, policy.tier) == (0, "full")
    assert policy.predicted_s < 1
    service.ask()
    counts = service.tell(23, "started anew on a Redis that was kept, and idle")
    assert counts.succeeded == 2
