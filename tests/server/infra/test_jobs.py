"""The queue from the server's side: enqueued once, in turn, cancelled, found again."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from gpu_worker import contract
from gpu_worker.contract import Lane, PhotoJob
from server.infra.jobs import Jobs, Line, Opening, connect


def job(number: int, merchant: str = "mer_a") -> PhotoJob:
    return PhotoJob(
        merchant_id=merchant, site_id="sit_1", accepted_at_ms=1, photo_id=f"pho_{number}",
        upload_key="u", content_type="image/jpeg", clean_key="c", parts_key="p",
    )  # fmt: skip


def test_one_multi_puts_job_merchant_and_bell(jobs: Jobs, redis: Redis) -> None:
    assert jobs.enqueue(job(1), "tailor") is True
    queue = Queue("tailor:live:mer_a", connection=redis, serializer=JSONSerializer)
    assert queue.job_ids == ["pho_1"]
    assert redis.lrange(contract.ring_key("tailor", Lane.LIVE), 0, -1) == [b"mer_a"]
    assert redis.llen(contract.bell_key("tailor")) == 1
    stored = Job.fetch("pho_1", connection=redis, serializer=JSONSerializer)
    assert (stored.func_name, stored.get_status()) == ("proteus.photo", "queued")
    assert (stored.result_ttl, stored.retries_left) == (0, 3)
    assert json.loads(stored.args[0])["photo_id"] == "pho_1"


def test_the_same_job_twice_stands_there_once(jobs: Jobs, redis: Redis) -> None:
    assert [jobs.enqueue(job(1), "tailor") for _ in range(3)] == [True, False, False]
    assert jobs.line("tailor").depth == 1
    assert redis.llen(contract.ring_key("tailor", Lane.LIVE)) == 1


def test_anew_forgets_an_earlier_run(jobs: Jobs, redis: Redis) -> None:
    jobs.enqueue(job(1), "tailor")
    redis.delete("rq:queue:tailor:live:mer_a")  # claimed, failed, its hash is still there
    redis.set(contract.cancel_key("pho_1"), "1")
    assert jobs.enqueue(job(1), "tailor") is False
    assert jobs.enqueue(job(1), "tailor", anew=True) is True
    assert jobs.line("tailor").depth == 1
    assert not redis.exists(contract.cancel_key("pho_1"))


def test_the_bell_does_not_grow(jobs: Jobs, redis: Redis) -> None:
    for number in range(100):
        jobs.enqueue(job(number), "tailor")
    assert int(redis.llen(contract.bell_key("tailor"))) == 64


def test_cancelling_takes_a_waiting_job_out(jobs: Jobs, redis: Redis) -> None:
    jobs.enqueue(job(1), "tailor")
    jobs.enqueue(job(2), "tailor")
    jobs.cancel("pho_1", "tailor", Lane.LIVE, "mer_a")
    assert list(jobs.line("tailor").positions()) == ["pho_2"]
    assert not Job.exists("pho_1", connection=redis)
    assert redis.exists(contract.cancel_key("pho_1"))


def test_cancelling_a_running_job_leaves_it_to_its_worker(jobs: Jobs, redis: Redis) -> None:
    jobs.enqueue(job(1), "tailor")
    redis.delete("rq:queue:tailor:live:mer_a")
    jobs.cancel("pho_1", "tailor", Lane.LIVE, "mer_a")
    assert Job.exists("pho_1", connection=redis)
    assert 0 < int(redis.ttl(contract.cancel_key("pho_1"))) <= contract.CANCEL_TTL_S


def test_standing_finds_waiting_and_leased_ones(jobs: Jobs, redis: Redis) -> None:
    jobs.enqueue(job(1), "tailor")
    redis.zadd("rq:wip:tailor:live:mer_a", {"pho_2:execution": 1})
    assert jobs.standing(["tailor:live:mer_a", "tailor:live:mer_b"]) == {"pho_1", "pho_2"}
    redis.flushall()
    assert jobs.standing(["tailor:live:mer_a"]) == set()


def test_merchants_take_turns(jobs: Jobs) -> None:
    for number in range(3):
        jobs.enqueue(job(number), "tailor")
    jobs.enqueue(job(9, "mer_b"), "tailor")
    line = jobs.line("tailor")
    assert list(line.positions()) == ["pho_0", "pho_9", "pho_1", "pho_2"]
    assert jobs.opening("tailor", "mer_b", contract.turn_of(None, None)).position == 4
    assert jobs.opening("tailor", "mer_c", contract.turn_of(None, None)).position == 3
    assert line.depth == 4


def test_it_reads_what_the_arbitrator_wants(jobs: Jobs, redis: Redis) -> None:
    assert jobs.policy("preview") is None
    redis.hset(contract.policy_key("preview"), "batch_size", "7")
    assert jobs.policy("preview") == contract.Policy(batch_size=7)
    redis.hset(contract.policy_key("preview"), "batch_size", "many")
    assert jobs.policy("preview") is None


def test_what_arrives_is_counted_by_lane(jobs: Jobs, redis: Redis) -> None:
    jobs.enqueue(job(1), "tailor")
    jobs.enqueue(job(2), "tailor", Lane.BULK)
    jobs.enqueue(job(1), "tailor", anew=True)
    assert redis.hgetall(contract.arrivals_key("tailor")) == {b"live": b"1", b"bulk": b"1"}


def test_a_redis_that_is_away_is_told_soon() -> None:
    with pytest.raises(RedisError):
        Jobs(connect("redis://127.0.0.1:1/0")).enqueue(job(1), "tailor")


lines = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 6)).map(
    lambda counts: Line([(m, [f"{m}{n}" for n in range(count)]) for m, count in counts.items()])
)


@given(lines, st.sampled_from("abcde"), st.integers(0, 6))
def test_a_newcomer_is_told_the_place_that_the_line_will_tell(
    line: Line, merchant: str, before: int
) -> None:
    waiting: dict[str, Sequence[str]] = {merchant: [], **dict(line.waiting)}
    order = [m for m, _ in line.waiting] + [merchant] * (merchant not in dict(line.waiting))
    before = min(before, len(waiting[merchant]))
    opening = Opening([len(waiting[m]) for m in order], order.index(merchant), before)
    with_new = [
        (m, [*waiting[m][:before], "new", *waiting[m][before:]] if m == merchant else waiting[m])
        for m in order
    ]
    assert opening.position == Line(with_new).positions()["new"]
    assert opening.depth == line.depth


@given(lines)
def test_places_are_one_to_n_in_each_merchants_order(line: Line) -> None:
    places = line.positions()
    assert sorted(places.values()) == list(range(1, line.depth + 1))
    for _, ids in line.waiting:
        assert [places[i] for i in ids] == sorted(places[i] for i in ids)
