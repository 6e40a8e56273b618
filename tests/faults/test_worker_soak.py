"""Longer runs: two workers killed at random while shoppers keep coming, and one at the defaults."""

from __future__ import annotations

import random
import time

import pytest

from gpu_worker.contract import EventType, Lane
from tests.workshop import Workshop, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.slow]

SECONDS = 12
JOBS = 60


@pytest.mark.timeout(120)
def test_random_kills(shop: Workshop) -> None:
    chance = random.Random(7)
    workers = [shop.start(PROTEUS_NULL_CURVE="20,5,10") for _ in range(2)]
    began, kills = time.monotonic(), 0
    for n in range(JOBS):
        lane = chance.choice([Lane.LIVE, Lane.LIVE, Lane.BULK])
        shop.enqueue(f"try_{n}", merchant=chance.choice(["ada", "ben", "cleo"]), lane=lane)
        until = began + SECONDS * (n + 1) / JOBS
        if chance.random() < 0.12:
            place = chance.randrange(2)
            shop.kill(workers[place])
            workers[place] = shop.start(PROTEUS_NULL_CURVE="20,5,10")
            kills += 1
        time.sleep(max(0.0, until - time.monotonic()))  # the pace of arrivals, no wait for a state
    seconds = shop.wait_until_settled(within_s=60)
    kinds = shop.report(f"{kills} random kills in {SECONDS} s, two workers", seconds)
    assert kills >= 4
    assert kinds[EventType.SUCCEEDED] >= JOBS - 3


@pytest.mark.timeout(120)
def test_with_the_defaults_a_killed_workers_jobs_are_back_within_thirty_seconds(
    shop: Workshop,
) -> None:
    defaults = {"PROTEUS_LEASE_S": "20", "PROTEUS_MAINTENANCE_S": "5"}
    shop.enqueue(*(f"try_{n}" for n in range(4)))
    doomed = shop.start(PROTEUS_NULL_CURVE="200,0,100", **defaults)
    wait_for(lambda: any(event.type == EventType.RUNNING for event in shop.events()))
    shop.start(**defaults)
    shop.kill(doomed)
    seconds = shop.wait_until_settled(within_s=40)
    shop.report("killed, at the defaults", seconds)
    assert seconds < 30
