"""A device that runs short or is lost, under the whole worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from rq.job import Job as RqJob

from gpu_worker import contract
from gpu_worker.__main__ import redis_client
from gpu_worker.contract import EventType
from gpu_worker.courier import TryOnCourier
from gpu_worker.engine import DeviceLostError, OutOfMemoryError
from gpu_worker.null import NullSample, RecordingEngine
from gpu_worker.worker import BatchWorker
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
    worker = BatchWorker(redis_client(shop.redis_url), Lost(max_slots=1), courier(shop), settings)
    with pytest.raises(DeviceLostError):
        worker.serve()
    assert shop.redis.keys(contract.lease_key("*")) == []
    assert BatchWorker.all_keys(shop.redis) == []
    seen: dict[str, int] = {}

    class Healthy(RecordingEngine):
        def step(self, samples: Sequence[NullSample]) -> None:
            super().step(samples)
            seen.update({s.order.id: losses(shop, s.order.id) for s in samples})

    with workshop.working(shop, Healthy(), courier(shop)):
        shop.wait_until_settled()
    assert shop.ends() == {name: [EventType.SUCCEEDED] for name in ("try_1", "try_2")}
    assert seen == {"try_1": 1, "try_2": 0}
