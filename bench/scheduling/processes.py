"""The processes under test, each `python -m bench.scheduling.processes <kind> <task as JSON>`: the
real worker with a timed engine, the real arbitrator, and a baseline as plain RQ would be.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import redis

from bench.queue_workers import NO_PIXELS, NoCourier
from bench.scheduling.profiles import PROFILES, hurried, settings_of, tiers_of, turn_s
from gpu_worker import contract
from gpu_worker.arbitrator import Arbitrator
from gpu_worker.arbitrator.loop import TURN_S
from gpu_worker.contract import Category, EventType, Job, Lane, Law, Subject
from gpu_worker.control import Terms, slots_by_depth
from gpu_worker.engine import Order, Picture, SeededNoise
from gpu_worker.engines.null import NullSample, TimedEngine
from gpu_worker.queue.events import Events
from gpu_worker.queue.redis import redis_client
from gpu_worker.storage.courier import Outcome
from gpu_worker.worker import build_worker, keeper

ENGINE = "null"
MERCHANT = "mer_all"  # whose queues the baseline reads
IDLE_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The arguments of a process. target_s: in the device's time; tiers: `all` or `best`;
    rehearsed: batch sizes that are drawn beforehand, so that their times are learned."""

    url: str
    profile: str
    law: str = Law.LEARNED.value
    target_s: float = 10.0
    tiers: str = "best"
    rehearsed: Sequence[int] = (1, 2, 4, 8)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @property
    def hurry(self) -> float:
        return PROFILES[self.profile].hurry

    @property
    def terms(self) -> Terms:
        own = Terms(law=Law(self.law), target_s=self.target_s, tiers=tiers_of(self.tiers))
        return hurried(own, self.hurry)

    def engine(self) -> TimedEngine:
        return TimedEngine(PROFILES[self.profile].slept_ms)


class TellsTier(NoCourier):
    """A courier that fetches and stores nothing; its event names the tier of the picture."""

    def deliver(self, _job: Job, product: Picture, model_ms: int) -> Outcome:
        return Outcome(EventType.SUCCEEDED, {"tier": product.tier, "model_ms": model_ms})


def work(task: Task) -> None:
    """The real worker, with its periodic work sped up like everything else."""
    sys.setswitchinterval(0.0005)  # at 10 times the speed 5 ms would be most of a step
    keeper.POLICY_S = turn_s(keeper.POLICY_S, task.hurry)
    keeper.ABOUT_S = turn_s(keeper.ABOUT_S, task.hurry)
    keeper.WATCH_S = turn_s(keeper.WATCH_S, task.hurry)
    settings = settings_of(task.terms, task.url)
    build_worker(redis_client(task.url), task.engine(), TellsTier(), settings).work()


def arbitrate(task: Task) -> None:
    arbitrator = Arbitrator(redis_client(task.url), task.terms, hurry=10.0)
    every_s = 2 * turn_s(TURN_S, task.hurry)
    while True:
        began = time.monotonic()
        arbitrator.loop(time.time())
        time.sleep(max(0.0, every_s - (time.monotonic() - began)))


# --- thresholds and RQ's priorities --------------------------------------------------------------


def prioritise(task: Task) -> None:
    """The baseline: RQ's own order of queues, and the thresholds. A batch is filled with live jobs
    before bulk and runs to its end: nothing joins it, nothing is pre-empted."""
    connection: Any = redis.Redis.from_url(task.url)
    engine, events = task.engine(), Events(connection)
    queues = [f"rq:queue:{contract.queue_name(ENGINE, lane, MERCHANT)}" for lane in Lane]
    while True:
        depth = sum(connection.llen(queue) for queue in queues)
        ids: list[str] = []
        for queue in queues:
            room = slots_by_depth(depth)[0] - len(ids)
            ids += (
                [member.decode() for member in connection.lpop(queue, room) or ()] if room else []
            )
        _run_whole(engine, events, ids)
        if not ids:
            time.sleep(IDLE_S)


def _run_whole(engine: TimedEngine, events: Events, ids: list[str]) -> None:
    samples: list[NullSample] = [engine.admit(_order(job_id)) for job_id in ids]
    while samples and samples[0].step < samples[0].steps:
        engine.step(samples)
    for sample in samples:
        events.send(Subject.TRY_ON, sample.order.id, EventType.SUCCEEDED, {"tier": "full"})


def _order(job_id: str) -> Order:
    return Order(job_id, NO_PIXELS, NO_PIXELS, Category.UPPER, SeededNoise(0))


KINDS: dict[str, Callable[[Task], None]] = {
    "work": work,
    "arbitrate": arbitrate,
    "prioritise": prioritise,
}

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    KINDS[sys.argv[1]](Task(**json.loads(sys.argv[2])))
