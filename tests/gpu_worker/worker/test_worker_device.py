"""A device that runs short or is lost, under the whole worker."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from rq.job import Job as RqJob

from gpu_worker import contract
from gpu_worker.contract import EventType
from gpu_worker.engine import DeviceLostError, OutOfMemoryError
from gpu_worker.engines.null import NullSample, RecordingEngine
from gpu_worker.queue.leases import Claim, Leases
from gpu_worker.queue.redis import redis_client
from gpu_worker.storage.courier import TryOnCourier
from gpu_worker.worker import build_worker
from gpu_worker.worker.rq_side import RqSide
from tests import workshop
from tests.workshop import Workshop


class Lost(RecordingEngine):
    """One step, and the device is gone."""

    def step(self, samples: Sequence[NullSample]) -> None:
        if self.arrived:
            raise DeviceLostError("an illegal memory access was encountered")
        super().step(samples)


class Tight(RecordingEngine):
    def step(self, samples: Sequence[NullSample]) -> None:
        if len(samples) > 2:
            raise OutOfMemoryError
        super().step(samples)


class LooksOn(Leases):
    """Leaves the claiming thread time to take up again what its worker lets go of."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.has_abandoned = False
        self.has_recovered = threading.Event()

    def abandon(self, claims: Iterable[Claim]) -> None:
        super().abandon(claims)
        self.has_abandoned = True
        self.has_recovered.wait(0.5)

    def recover(self) -> tuple[int, list[Claim]]:
        if self.has_abandoned:
            self.has_recovered.set()
        return super().recover()


def courier(shop: Workshop) -> TryOnCourier:
    return TryOnCourier(shop.store, "null", is_preview=True)


def losses(shop: Workshop, job_id: str) -> int:
    return int(shop.redis.hget(RqJob.key_for(job_id), "losses") or 0)


def test_out_of_memory_costs_time_and_no_picture(shop: Workshop) -> None:
    shop.enqueue(*(f"try_{n}" for n in range(5)))
    engine = Tight(steps=4)
    with workshop.working(shop, engine, courier(shop), batch_size=4):
        shop.wait_until_settled()
    assert all(types == [EventType.SUCCEEDED] for types in shop.ends().values())
    steps = Counter(name for ids in engine.arrived for name in ids)
    assert set(steps.values()) == {4}, "nobody began again"


def test_a_lost_device_ends_the_worker_and_its_jobs_come_back(shop: Workshop) -> None:
    """Who was at work is suspected, as when a process dies; who only waited is not."""
    shop.enqueue("try_1", "try_2", num_inference_steps=5)
    settings = shop.settings
    worker = build_worker(redis_client(shop.redis_url), Lost(max_slots=1), courier(shop), settings)
    with pytest.raises(DeviceLostError):
        worker.serve()
    assert shop.redis.keys(contract.lease_key("*")) == []
    assert RqSide.all_keys(shop.redis) == []
    seen: dict[str, int] = {}

    class Healthy(RecordingEngine):
        def step(self, samples: Sequence[NullSample]) -> None:
            super().step(samples)
            seen.update({s.order.id: losses(shop, s.order.id) for s in samples})

    with workshop.working(shop, Healthy(), courier(shop)):
        shop.wait_until_settled()
    assert shop.ends() == {name: [EventType.SUCCEEDED] for name in ("try_1", "try_2")}
    assert seen == {"try_1": 1, "try_2": 0}


def test_a_worker_without_a_device_takes_nothing_up_again(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpu_worker.worker.build.Leases", LooksOn)
    shop.enqueue("try_1", num_inference_steps=5)
    settings = shop.settings.model_copy(update={"maintenance_s": 0.1})
    worker = build_worker(redis_client(shop.redis_url), Lost(), courier(shop), settings)
    with pytest.raises(DeviceLostError):
        worker.serve()
    assert losses(shop, "try_1") == 0  # whoever finds it counts
    assert shop.redis.llen("rq:queue:null:live:mer_ada") == 0
