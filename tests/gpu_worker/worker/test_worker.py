"""The batch worker against a real Redis and a real store, with an engine that takes notes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from rq import Queue
from rq.job import Job as RqJob
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from gpu_worker import contract
from gpu_worker.contract import LADDER, EventType, Lane, Reason, Tier
from gpu_worker.engine import Refusal
from gpu_worker.engines.null import NullSample, RecordingEngine
from gpu_worker.storage.courier import TryOnCourier
from gpu_worker.worker import BatchWorker
from gpu_worker.worker.rq_side import RqSide
from tests import workshop
from tests.waiting import wait_for
from tests.workshop import Workshop, said


@contextmanager
def working(shop: Workshop, engine: RecordingEngine, **changes: Any) -> Iterator[BatchWorker]:
    courier = TryOnCourier(shop.store, engine.name, engine.is_preview)
    with workshop.working(shop, engine, courier, **changes) as worker:
        yield worker


def test_four_queued_jobs_arrive_in_one_step(shop: Workshop) -> None:
    engine = RecordingEngine()
    shop.enqueue("try_1", "try_2", "try_3", "try_4")
    with working(shop, engine):
        shop.wait_until_settled()
    assert [sorted(ids) for ids in engine.arrived] == [["try_1", "try_2", "try_3", "try_4"]]
    assert set(shop.ends()) == {"try_1", "try_2", "try_3", "try_4"}
    assert all(types == [EventType.SUCCEEDED] for types in shop.ends().values())


def test_a_picture_is_stored_and_told(shop: Workshop) -> None:
    shop.enqueue("try_1", seed=7)
    with working(shop, RecordingEngine(steps=3)):
        shop.wait_until_settled()
    event = shop.events("try_1")[-1]
    assert event.type == EventType.SUCCEEDED
    assert event.data["model_ms"] >= 0
    expected = {"width": 96, "height": 128, "engine": "null", "is_preview": True, "seed": 7}
    assert said(event) == expected | {"tier": "full", "model_ms": event.data["model_ms"]}
    assert shop.store.get("pictures/try_1.jpg", 10**6).startswith(b"\xff\xd8")


def test_the_policy_in_redis_sets_how_many_run_together(shop: Workshop) -> None:
    shop.redis.hset(contract.policy_key("null"), "batch_size", 2)
    engine = RecordingEngine()
    shop.enqueue(*(f"try_{n}" for n in range(6)))
    with working(shop, engine):
        shop.wait_until_settled()
    assert max(map(len, engine.arrived)) == 2


def test_a_late_comer_joins_between_steps(shop: Workshop) -> None:
    engine = RecordingEngine(a_ms=30, steps=40)
    shop.enqueue("try_1")
    with working(shop, engine):
        wait_for(lambda: engine.arrived)
        shop.enqueue("try_2")
        wait_for(lambda: ["try_1", "try_2"] in engine.arrived)
        shop.wait_until_settled()


def test_live_goes_before_bulk_and_merchants_take_turns(shop: Workshop) -> None:
    engine = RecordingEngine()
    shop.enqueue("bulk_1", "bulk_2", lane=Lane.BULK)
    shop.enqueue("ada_1", "ada_2", "ada_3", merchant="mer_ada")
    shop.enqueue("cleo_1", merchant="mer_cleo")
    with working(shop, engine, batch_size=2):
        shop.wait_until_settled()
    order = [job_id for ids in engine.arrived for job_id in ids]
    assert set(order[:2]) == {"ada_1", "cleo_1"}
    assert order[-1] == "bulk_2"  # one bulk job is always at hand and may fill a spare slot


def test_a_live_picture_puts_a_bulk_one_aside_which_then_goes_on(shop: Workshop) -> None:
    engine = RecordingEngine(a_ms=5, steps=60)
    shop.enqueue("bulk_1", lane=Lane.BULK)
    with working(shop, engine, batch_size=1):
        wait_for(lambda: engine.arrived)
        shop.enqueue("live_1", num_inference_steps=30)
        shop.wait_until_settled()
    steps = [job_id for ids in engine.arrived for job_id in ids]
    assert Counter(steps) == {"bulk_1": 60, "live_1": 30}, "nobody began again"
    began, ended = steps.index("live_1"), len(steps) - steps[::-1].index("live_1")
    assert steps[began:ended].count("bulk_1") <= 3, "bulk has its twentieth and no more"


def test_a_merchants_flood_costs_another_nothing(shop: Workshop) -> None:
    """All slots are full of one merchant's pictures: one of them makes place."""
    engine = RecordingEngine(a_ms=10, steps=100)
    shop.enqueue(*(f"flood_{n}" for n in range(5)), merchant="mer_flood")
    with working(shop, engine, batch_size=2):
        wait_for(lambda: engine.arrived and len(engine.arrived[-1]) == 2)
        shop.enqueue("quiet_1", merchant="mer_quiet", num_inference_steps=10)
        wait_for(lambda: shop.ends()["quiet_1"])
        assert not any(shop.ends()[f"flood_{n}"] for n in range(5))
        for n in range(5):
            shop.jobs.cancel(f"flood_{n}", "null", Lane.LIVE, "mer_flood")


def test_workers_share_by_their_speed_and_one_that_goes_loses_nothing(shop: Workshop) -> None:
    """Both pull: the one that is six times as fast draws the most. It leaves before the end."""
    fast, slow = RecordingEngine(a_ms=25, steps=4), RecordingEngine(a_ms=150, steps=4)
    ids = [f"try_{n}" for n in range(18)]
    shop.enqueue(*ids)
    with working(shop, slow, batch_size=1):
        with working(shop, fast, batch_size=1):
            wait_for(lambda: len(fast.arrived) >= 48)
            assert len(fast.arrived) > 2 * len(slow.arrived) > 0
        shop.wait_until_settled()
    ends = shop.ends()
    assert all(ends[job_id] == [EventType.SUCCEEDED] for job_id in ids)


class Timing(RecordingEngine):
    """Remembers how long each step really took: a busy machine makes some of them much longer."""

    def __init__(self, **curve: float) -> None:
        super().__init__(**curve)  # type: ignore[arg-type]
        self.took_ms: list[tuple[str, float]] = []

    def step(self, samples: Sequence[NullSample]) -> None:
        began = time.monotonic()
        super().step(samples)
        self.took_ms.append((samples[0].order.id, (time.monotonic() - began) * 1000))


def test_long_jobs_get_no_more_of_the_engine_than_short_ones(shop: Workshop) -> None:
    engine = Timing(a_ms=4)
    long = [f"long_{n}" for n in range(20)]
    shop.enqueue(*long, merchant="mer_long", num_inference_steps=20)
    shop.enqueue(*(f"short_{n}" for n in range(80)), merchant="mer_short", num_inference_steps=4)
    with working(shop, engine, batch_size=1):
        wait_for(lambda: len(engine.took_ms) >= 400)
    took_ms = engine.took_ms[:400]
    long_ms, short_ms = (
        sum(ms for job_id, ms in took_ms if job_id.startswith(kind)) for kind in ("long", "short")
    )
    slack_ms = 120 * 4 + 2 * max(ms for _, ms in took_ms)
    assert abs(long_ms - short_ms) <= slack_ms, "in turns it would be 333 steps to 67"


def test_running_is_told_at_most_four_times_a_second(shop: Workshop) -> None:
    shop.enqueue("try_1")
    with working(shop, RecordingEngine(a_ms=20, steps=50)):
        shop.wait_until_settled()
    events = shop.events("try_1")
    told = [event for event in events if event.type == EventType.RUNNING]
    lasted_s = (events[-1].at_ms - told[0].at_ms) / 1000
    assert 3 <= len(told) <= 4 * lasted_s + 3
    assert told[0].data == {"step": 0, "steps": 50, "tier": "full"}


def test_an_engine_of_one_step_speaks_of_no_rung(shop: Workshop) -> None:
    shop.enqueue("try_1")
    with working(shop, RecordingEngine(a_ms=300)):
        shop.wait_until_settled()
    told = [event for event in shop.events("try_1") if event.type == EventType.RUNNING]
    assert [event.data for event in told] == [{"step": 0, "steps": 1}]


def test_a_cancelled_job_leaves_at_the_next_step(shop: Workshop) -> None:
    engine = RecordingEngine(a_ms=20, steps=10_000)
    shop.enqueue("try_1")
    with working(shop, engine):
        wait_for(lambda: engine.arrived)
        shop.jobs.cancel("try_1", "null", Lane.LIVE, "mer_ada")
        shop.wait_until_settled()
    assert shop.ends()["try_1"] == [EventType.CANCELLED]
    assert not shop.redis.exists(contract.cancel_key("try_1"))


def test_a_stored_result_is_settled_without_running(shop: Workshop) -> None:
    engine = RecordingEngine()
    with working(shop, engine):
        shop.enqueue("try_1")
        shop.wait_until_settled()
        first = shop.events("try_1")[-1]
        shop.jobs.enqueue(shop.job("try_1"), "null")
        wait_for(lambda: len(shop.ends()["try_1"]) == 2)
    assert engine.arrived == [["try_1"]]
    assert said(shop.events("try_1")[-1]) == said(first)


class Picky(RecordingEngine):
    """Refuses, raises or breaks its batch, by the order's id."""

    def admit(self, order):  # type: ignore[no-untyped-def]
        if order.id.startswith("tight"):
            raise Refusal(Reason.CROP_TOO_TIGHT, "too tight")
        return super().admit(order)

    def step(self, samples: Sequence[NullSample]) -> None:
        super().step(samples)
        if any(sample.order.id.startswith("poison") for sample in samples):
            raise RuntimeError("device-side assert")


def _tight(shop: Workshop) -> None:
    shop.enqueue("tight_1")


def _poison(shop: Workshop) -> None:
    shop.enqueue("poison_1")


def _drop_photo(shop: Workshop) -> None:
    shop.enqueue("gone_1", photo_key="deleted.jpg")


def _bad_photo(shop: Workshop) -> None:
    shop.store.put("bad.jpg", b"\xff\xd8\xff garbage", "image/jpeg")
    shop.enqueue("bad_1", photo_key="bad.jpg")


REFUSALS = [
    (_tight, Reason.CROP_TOO_TIGHT, False),
    (_poison, Reason.ENGINE_FAILED, True),
    (_drop_photo, Reason.UPLOAD_MISSING, False),
    (_bad_photo, Reason.TRUNCATED_IMAGE, False),
]


@pytest.mark.parametrize(("enqueue", "reason", "retryable"), REFUSALS)
def test_one_that_fails_fails_alone(
    shop: Workshop, enqueue: Callable[[Workshop], None], reason: Reason, retryable: bool
) -> None:
    shop.enqueue("try_1", "try_2")
    enqueue(shop)
    shop.enqueue("try_3")
    with working(shop, Picky(steps=2)):
        shop.wait_until_settled()
    (bad,) = set(shop.accepted) - {"try_1", "try_2", "try_3"}
    told = shop.events(bad)[-1]
    assert told.type == EventType.FAILED
    assert said(told) == {"code": reason.value, "retryable": retryable}
    good = {"try_1", "try_2", "try_3"}
    assert all(shop.ends()[job_id] == [EventType.SUCCEEDED] for job_id in good)
    assert bad in _failed(shop).get_job_ids()


def _failed(shop: Workshop) -> FailedJobRegistry:
    return FailedJobRegistry("null:live:mer_ada", shop.redis, serializer=JSONSerializer)


def test_rq_sees_a_worker_like_any_other(shop: Workshop) -> None:
    engine = RecordingEngine(a_ms=20, steps=100)
    shop.enqueue("try_1", "try_2")
    queue = Queue("null:live:mer_ada", connection=shop.redis, serializer=JSONSerializer)
    with working(shop, engine) as worker:
        wait_for(lambda: engine.arrived)
        assert sorted(queue.started_job_registry.get_job_ids()) == ["try_1", "try_2"]
        assert RqJob.fetch("try_1", shop.redis, serializer=JSONSerializer).is_started
        seen = RqSide.all_keys(shop.redis)
        assert seen == [worker.rq.key]
        shop.wait_until_settled()
        assert shop.redis.hget(worker.rq.key, "successful_job_count") == b"2"
    assert RqSide.all_keys(shop.redis) == []


def test_a_job_nobody_can_read_does_not_stop_the_queue(shop: Workshop) -> None:
    queue = Queue("null:live:mer_ada", connection=shop.redis, serializer=JSONSerializer)
    queue.enqueue("proteus.try_on", args=["{}"], job_id="odd_1")
    shop.enqueue("try_1")
    with working(shop, RecordingEngine(a_ms=100)):
        shop.wait_until_settled()
    assert "odd_1" in _failed(shop).get_job_ids()


def test_the_worker_says_that_it_lives_and_what_it_measures(shop: Workshop) -> None:
    shop.redis.hset(contract.policy_key("null"), mapping={"batch_size": 3, "tier": "small"})
    shop.enqueue("try_1", "try_2", num_inference_steps=2)
    with working(shop, RecordingEngine(a_ms=2, max_slots=6)) as worker:
        key = contract.worker_key(worker.rq.name)
        told = wait_for(lambda: shop.redis.hgetall(key))
        expected = {
            "engine": "null", "is_preview": "1", "device": "none", "max_slots": "6", "slots": "3",
            "tier": "small",
        }  # fmt: skip
        assert expected.items() <= {k.decode(): v.decode() for k, v in told.items()}.items()
        assert {b"held", b"running", b"ts", b"licence"} <= set(told)
        assert 0 < shop.redis.ttl(key) <= contract.WORKER_TTL_S
        wait_for(lambda: shop.redis.hexists(key, "around_ms:384x512"))
        assert float(shop.redis.hget(key, "step_ms:384x512:2") or 0) >= 2
    assert not shop.redis.exists(key)


def test_workers_of_an_engine_count_together_and_no_end_takes_it_back(shop: Workshop) -> None:
    """Also what the last heartbeat before a good-bye could not tell yet."""
    told = []
    for names in (("try_1", "try_2"), ("tight_1",), ("try_3",)):
        shop.enqueue(*names, num_inference_steps=1)
        with working(shop, Picky()):
            shop.wait_until_settled()
        counted: Any = shop.redis.hgetall(contract.counts_key("null"))
        told.append({event.decode(): int(number) for event, number in counted.items()})
    both = {"finished": 2, "refused": 1}
    assert told == [{"finished": 2}, both, both | {"finished": 3}]


class Watchful(RecordingEngine):
    """Remembers the tier of every order that it stepped."""

    def __init__(self, **curve: float) -> None:
        super().__init__(**curve)  # type: ignore[arg-type]
        self.tiers: dict[str, set[Tier | None]] = {}

    def step(self, samples: Sequence[NullSample]) -> None:
        super().step(samples)
        for sample in samples:
            self.tiers.setdefault(sample.order.id, set()).add(sample.order.tier)


def test_a_sample_keeps_the_tier_on_which_it_was_admitted(shop: Workshop) -> None:
    policy = contract.policy_key("null")
    shop.redis.hset(policy, mapping={"tier": "steps_30"})
    engine = Watchful(a_ms=10)
    shop.enqueue("try_1", num_inference_steps=150)
    with working(shop, engine):
        wait_for(lambda: engine.tiers)
        shop.redis.hset(policy, mapping={"tier": "steps_20"})
        wait_for(lambda: _is_told(shop, b"steps_20"))
        shop.enqueue("try_2", num_inference_steps=2)
        shop.wait_until_settled()
    assert engine.tiers == {"try_1": {LADDER[1]}, "try_2": {LADDER[2]}}


def _is_told(shop: Workshop, tier: bytes) -> bool:
    (key,) = shop.redis.keys(contract.worker_key("*"))
    return shop.redis.hget(key, "tier") == tier


def test_nothing_is_left_behind_in_redis(shop: Workshop) -> None:
    shop.enqueue("try_1", "tight_1", "poison_1", "slow_1", num_inference_steps=2)
    with working(shop, Picky(a_ms=50), batch_size=2):
        wait_for(lambda: shop.redis.keys("rq:wip:*"))
        shop.redis.set(contract.cancel_key("slow_1"), "1")
        shop.wait_until_settled()
    found: list[bytes] = list(shop.redis.scan_iter())
    kept = {key.decode() for key in found}
    expected = {
        contract.EVENTS,
        contract.arrivals_key("null"),
        contract.counts_key("null"),
        "rq:queues",
        "rq:failed:null:live:mer_ada",
    }
    expected |= {f"rq:job:{job_id}" for job_id in ("tight_1", "poison_1")}
    expected |= {f"rq:results:{job_id}" for job_id in ("tight_1", "poison_1")}
    dead = {key for key in kept if key.startswith("rq:worker:")}  # RQ lets it fade in a minute
    fading = {contract.bell_key("null"), contract.shares_key("null", Lane.LIVE)}
    assert kept - dead - fading == expected
    assert all(shop.redis.ttl(f"rq:job:{job_id}") > 0 for job_id in ("tight_1", "poison_1"))
