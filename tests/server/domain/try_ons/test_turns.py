"""Turns by address and shopper within a merchant's queue: in rounds, and nothing lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from gpu_worker import contract
from gpu_worker.contract import Lane, PhotoJob
from gpu_worker.queue.leases import Capacity, Leases
from server.infra.jobs import Jobs

QUEUE = "tailor:live:mer_a"
ONE = Capacity(live=1, both=1, bulk_at_least=0)
Step = tuple[str, str]
steps = st.lists(
    st.tuples(
        st.sampled_from(["asks", "asks", "asks", "is drawn", "leaves"]), st.sampled_from("abcd")
    ),
    max_size=25,
)


OFFICE = {"c": "office", "d": "office"}  # two shoppers of one address


def job(job_id: str, shopper: str | None = None) -> PhotoJob:
    """`a1` is the first of shopper `a`."""
    return PhotoJob(
        merchant_id="mer_a", site_id="sit_1", accepted_at_ms=1, photo_id=job_id,
        shopper_id=shopper or job_id[0], asked_from=OFFICE.get(job_id[0]), upload_key="u",
        content_type="image/jpeg", clean_key="c", parts_key="p",
    )  # fmt: skip


def turn(shopper: str) -> str:
    return contract.turn_of(shopper, OFFICE.get(shopper))


def waiting(jobs: Jobs) -> list[str]:
    return list(jobs.line("tailor").positions())


def test_a_flood_of_one_shopper_stands_behind_the_first_of_another(jobs: Jobs) -> None:
    for job_id in ("a1", "a2", "a3", "b1", "e1", "b2"):
        told = jobs.opening("tailor", "mer_a", turn(job_id[0])).position
        assert jobs.enqueue(job(job_id), "tailor")
        assert waiting(jobs).index(job_id) + 1 == told
    assert waiting(jobs) == ["a1", "b1", "e1", "a2", "b2", "a3"]
    assert (
        jobs.opening("tailor", "mer_b", turn("z")).position == 2
    )  # of another merchant: its own turn


def test_many_shoppers_of_one_address_take_turns_as_one_with_another_address(jobs: Jobs) -> None:
    """Shoppers cost nothing to make. Among themselves they take turns as well."""
    for job_id in ("c1", "c2", "c3", "d1", "a1", "d2", "a2"):
        told = jobs.opening("tailor", "mer_a", turn(job_id[0])).position
        jobs.enqueue(job(job_id), "tailor")
        assert waiting(jobs).index(job_id) + 1 == told
    assert waiting(jobs) == ["c1", "a1", "d1", "a2", "c2", "d2", "c3"]


def test_jobs_without_a_shopper_take_turns_as_one(jobs: Jobs) -> None:
    for number in (1, 2):
        jobs.enqueue(replace(job(f"s{number}"), shopper_id=None), "tailor", Lane.BULK)
    jobs.enqueue(job("a1"), "tailor", Lane.BULK)
    assert list(jobs.line("tailor", Lane.BULK).positions()) == ["s1", "a1", "s2"]


def test_the_same_job_twice_changes_no_turn(jobs: Jobs) -> None:
    for job_id in ("a1", "a2", "b1"):
        jobs.enqueue(job(job_id), "tailor")
    assert not jobs.enqueue(job("a2"), "tailor")
    assert waiting(jobs) == ["a1", "b1", "a2"]


def test_what_is_handed_back_stays_first(jobs: Jobs, redis: Redis) -> None:
    leases = Leases(redis, "tailor", "w", 20)
    for job_id in ("a1", "a2", "a3"):
        jobs.enqueue(job(job_id), "tailor")
    held = [*leases.claim(ONE), *leases.claim(ONE)]
    assert [claim.job_id for claim in held] == ["a1", "a2"]
    jobs.enqueue(job("b1"), "tailor")
    leases.hand_back(reversed(held))
    jobs.enqueue(job("e1"), "tailor")
    assert waiting(jobs) == ["a1", "a2", "a3", "b1", "e1"]


def test_after_redis_lost_all_the_rows_bring_the_turns_back(jobs: Jobs, redis: Redis) -> None:
    for job_id in ("a1", "a2", "b1"):
        jobs.enqueue(job(job_id), "tailor")
    redis.flushall()
    for job_id in ("a1", "a2", "b1"):
        jobs.enqueue(job(job_id), "tailor")
    assert waiting(jobs) == ["a1", "b1", "a2"]
    redis.delete(contract.turns_key(QUEUE))  # as after its TTL: who waited is before the rounds
    jobs.enqueue(job("a3"), "tailor")
    assert waiting(jobs) == ["a1", "b1", "a2", "a3"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_no_turn_comes_before_an_earlier_one_and_nothing_is_lost(
    redis: Redis, jobs: Jobs, story: list[Step]
) -> None:
    redis.flushall()
    expected: list[str] = []
    counts: Counter[str] = Counter()
    for what, shopper in story:
        if what == "asks":
            counts[shopper] += 1
            job_id = f"{shopper}{counts[shopper]}"
            told = jobs.opening("tailor", "mer_a", turn(shopper)).position
            jobs.enqueue(job(job_id), "tailor")
            expected = in_turns([*expected, job_id])
            assert expected.index(job_id) + 1 == told
            assert rounds(expected) == sorted(rounds(expected))
        elif what == "is drawn" and expected:
            for claim in Leases(redis, "tailor", "w", 20).claim(ONE):
                expected.remove(claim.job_id)
        elif expected:
            jobs.cancel(expected.pop(), "tailor", Lane.LIVE, "mer_a")
        assert waiting(jobs) == expected
        assert redis.hlen(contract.turns_key(QUEUE)) == len(expected)


def in_turns(ids: Sequence[str]) -> list[str]:
    rounds_of = dict(zip(ids, rounds(ids), strict=True))
    return sorted(ids, key=rounds_of.__getitem__)


def rounds(ids: Sequence[str]) -> list[int]:
    """In which round each stands: its place among those of its address, who take turns."""
    nth = [[i[0] for i in ids[:place]].count(job_id[0]) for place, job_id in enumerate(ids)]
    addresses = [OFFICE.get(job_id[0], job_id[0]) for job_id in ids]
    return [
        sum(
            addresses[other] == addresses[place] and (nth[other], other) < (nth[place], place)
            for other in range(len(ids))
        )
        for place in range(len(ids))
    ]
