"""Moves of jobs between RQ's lists: whatever happens, each job is in exactly one place."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from gpu_worker import contract
from gpu_worker.contract import Category, Lane, TryOnJob
from gpu_worker.leases import MAX_LOSSES, Claim, Leases, Room
from server.jobs import Jobs

NAME = "null:live:ada"


def leases(redis: Redis, worker: str = "w1") -> Leases:
    return Leases(redis, "null", worker, lease_s=20)


def enqueue(redis: Redis, *ids: str, merchant: str = "ada", lane: Lane = Lane.LIVE) -> None:
    for job_id in ids:
        job = TryOnJob(
            merchant_id=merchant,
            site_id="s",
            accepted_at_ms=0,
            try_on_id=job_id,
            engine="null",
            category=Category.UPPER,
            photo_key="p",
            garment_key="g",
            result_key="r",
        )
        Jobs(redis).enqueue(job, "null", lane)


@pytest.fixture
def redis(redis_url: str) -> Redis:
    return Redis.from_url(redis_url)


def ids(claims: list[Claim]) -> list[str]:
    return [claim.job_id for claim in claims]


def places(redis: Redis) -> Counter[str]:
    """How often each job id lies in a queue or in a started registry."""
    entries: list[Any] = []
    for key in redis.scan_iter("rq:queue:*"):
        entries += redis.lrange(key, 0, -1)
    for key in redis.scan_iter("rq:wip:*"):
        entries += redis.zrange(key, 0, -1)
    return Counter(entry.decode().split(":")[0] for entry in entries)


def lose(redis: Redis, claims: list[Claim], *, started: bool = True) -> None:
    """Their worker is dead for as long as a lease."""
    for claim in claims:
        redis.delete(contract.lease_key(claim.member))
        if started:
            redis.hset(f"rq:job:{claim.job_id}", "status", "started")


def test_merchants_take_turns_and_live_goes_first(redis: Redis) -> None:
    enqueue(redis, "b1", lane=Lane.BULK)
    enqueue(redis, "a1", "a2", "a3")
    enqueue(redis, "c1", merchant="cleo")
    assert ids(leases(redis).claim(Room(3, 3, 0))) == ["a1", "c1", "a2"]
    assert ids(leases(redis).claim(Room(3, 3, 0))) == ["a3", "b1"]
    assert leases(redis).claim(Room(3, 3, 0)) == []


def test_a_merchant_who_enqueues_often_keeps_its_turn(redis: Redis) -> None:
    enqueue(redis, "c1", "c2", "c3", merchant="cleo")
    enqueue(redis, "a1")
    order = []
    for n in range(2, 5):
        enqueue(redis, f"a{n}")
        order += ids(leases(redis).claim(Room(1, 1, 0)))
    assert order == ["c1", "a1", "c2"]


def test_bulk_is_left_alone_while_live_takes_all_but_its_one(redis: Redis) -> None:
    enqueue(redis, "b1", "b2", lane=Lane.BULK)
    enqueue(redis, "a1", "a2", "a3")
    assert ids(leases(redis).claim(Room(2, 2, 0))) == ["a1", "a2"]
    assert ids(leases(redis).claim(Room(1, 1, 1))) == ["a3", "b1"]


def test_a_job_that_was_deleted_is_passed_over(redis: Redis) -> None:
    enqueue(redis, "a1", "a2")
    redis.delete("rq:job:a1")
    assert ids(leases(redis).claim(Room(2, 2, 0))) == ["a2"]


def test_suspended_workers_get_nothing(redis: Redis) -> None:
    enqueue(redis, "a1")
    redis.set("rq:suspended", 1)
    assert leases(redis).claim(Room(2, 2, 0)) == []


def test_a_lease_is_kept_until_it_is_lost(redis: Redis) -> None:
    enqueue(redis, "a1", "a2")
    mine = leases(redis).claim(Room(2, 2, 0))
    assert leases(redis).keep(mine) == set()
    lose(redis, mine[:1])
    assert leases(redis).keep(mine) == {"a1"}
    assert not redis.exists(contract.lease_key(mine[0].member)), "a lost lease never revives"


def test_handed_back_jobs_are_first_in_line_and_unmarked(redis: Redis) -> None:
    enqueue(redis, "a1", "a2")
    mine = leases(redis).claim(Room(1, 1, 0))
    leases(redis).hand_back(mine)
    leases(redis).hand_back(mine)
    assert redis.lrange(f"rq:queue:{NAME}", 0, -1) == [b"a1", b"a2"]
    (again,) = leases(redis, "w2").claim(Room(1, 1, 0))
    assert (again.job_id, again.losses) == ("a1", 0)


def test_a_lost_job_comes_back_marked_and_runs_alone_after_two(redis: Redis) -> None:
    enqueue(redis, "a1")
    seen = []
    for _ in range(MAX_LOSSES - 1):
        lose(redis, leases(redis).claim(Room(1, 1, 0)))
        assert leases(redis).recover() == (1, [])
        (claim,) = claims = leases(redis).claim(Room(1, 1, 0))
        seen.append((claim.losses, claim.runs_alone))
        leases(redis).hand_back(claims)
    assert seen == [(1, False), (2, True)]
    lose(redis, leases(redis).claim(Room(1, 1, 0)))
    back, (hopeless,) = leases(redis, "w2").recover()
    assert (back, hopeless.job_id, hopeless.losses) == (0, "a1", MAX_LOSSES)
    assert leases(redis, "w2").keep([hopeless]) == set()


def test_a_job_that_was_never_started_is_not_suspected(redis: Redis) -> None:
    enqueue(redis, "a1")
    lose(redis, leases(redis).claim(Room(1, 1, 0)), started=False)
    leases(redis).recover()
    (claim,) = leases(redis).claim(Room(1, 1, 0))
    assert claim.losses == 0


def test_recovery_leaves_other_engines_alone_and_heals_the_ring(redis: Redis) -> None:
    enqueue(redis, "a1")
    redis.delete(contract.ring_key("null", Lane.LIVE))
    assert leases(redis).claim(Room(1, 1, 0)) == []
    assert Leases(redis, "nul", "w", 20).recover() == (0, [])
    leases(redis).recover()
    assert ids(leases(redis).claim(Room(1, 1, 0))) == ["a1"]


moves = st.lists(
    st.tuples(
        st.sampled_from(["enqueue", "claim", "hand_back", "lose", "recover", "keep"]),
        st.integers(1, 3),
    ),
    max_size=40,
)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moves=moves)
def test_each_job_is_always_in_exactly_one_place(
    redis: Redis, moves: list[tuple[str, int]]
) -> None:
    redis.flushall()
    held: list[Claim] = []
    worker, count = leases(redis), 0
    for move, n in moves:
        if move == "enqueue":
            for _ in range(n):
                enqueue(redis, f"j{count}", merchant="abc"[count % 3])
                count += 1
        elif move == "claim":
            held += worker.claim(Room(n, n, 1))
        elif move == "hand_back":
            worker.hand_back(held[:n])
            held = held[n:]
        elif move == "lose":
            lose(redis, held[:n], started=bool(n % 2))
        elif move == "recover":
            held += worker.recover()[1]
        else:
            lost = worker.keep(held)
            held = [claim for claim in held if claim.job_id not in lost]
        assert places(redis) == Counter({f"j{i}": 1 for i in range(count)})
