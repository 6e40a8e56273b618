"""2: random kills, two workers, shoppers who keep coming over HTTP."""

from __future__ import annotations

import random
import time

import pytest

from gpu_worker.contract import Reason
from tests.faults.length import KILL_EVERY_S, SOAK_S
from tests.faults.whole_service import PROMISED_S, WholeService

pytestmark = [pytest.mark.faults, pytest.mark.slow]

EVERY_S = 0.6  # somebody asks for a picture
CURVE = "20,5,10"


@pytest.mark.timeout(360)
def test_random_kills(service: WholeService) -> None:
    chance = random.Random(7)
    house = service.house
    service.steward()
    service.serve()
    workers = [service.work(PROTEUS_NULL_CURVE=CURVE) for _ in range(2)]
    began, kills = time.monotonic(), 0
    next_kill = began + chance.uniform(*KILL_EVERY_S)
    while time.monotonic() < began + SOAK_S:
        service.post(chance.choice([house.sam, house.tom, house.zoe]))
        if time.monotonic() > next_kill:
            place = chance.randrange(2)
            service.kill(workers[place])
            workers[place] = service.work(PROTEUS_NULL_CURVE=CURVE)
            kills += 1
            next_kill = time.monotonic() + chance.uniform(*KILL_EVERY_S)
        time.sleep(EVERY_S)  # the pace at which shoppers come; no state is waited for
    counts = service.tell(2, f"{kills} random kills in {SOAK_S} s, two workers")
    assert kills >= SOAK_S // (1.6 * max(KILL_EVERY_S))
    assert counts.accepted >= 4 * SOAK_S // 9
    assert set(counts.failed) <= {Reason.WORKER_LOST}
    assert counts.failed.total() <= counts.accepted * 0.05
    assert service.recovered_s < PROMISED_S
