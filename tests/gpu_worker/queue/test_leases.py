"""Moves of jobs between RQ's lists: whatever happens, each job is in exactly one place."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from gpu_worker import contract
from gpu_worker.contract import Category, Lane, TryOnJob
from gpu_worker.queue.leases import MAX_LOSSES, Capacity, Claim, Leases
from server.infra.jobs import Jobs

NAME = "null:live:ada"
SHARES = contract.shares_key("null", Lane.LIVE)


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
    assert ids(leases(redis).claim(Capacity(3, 3, 0))) == ["a1", "c1", "a2"]
    assert ids(leases(redis).claim(Capacity(3, 3, 0))) == ["a3", "b1"]
    assert leases(redis).claim(Capacity(3, 3, 0)) == []


def test_a_merchant_who_enqueues_often_keeps_its_turn(redis: Redis) -> None:
    enqueue(redis, "c1", "c2", "c3", merchant="cleo")
    enqueue(redis, "a1")
    order = []
    for n in range(2, 5):
        enqueue(redis, f"a{n}")
        order += ids(leases(redis).claim(Capacity(1, 1, 0)))
    assert order == ["c1", "a1", "c2"]


def test_bulk_is_left_alone_while_live_takes_all_but_its_one(redis: Redis) -> None:
    enqueue(redis, "b1", "b2", lane=Lane.BULK)
    enqueue(redis, "a1", "a2", "a3")
    assert ids(leases(redis).claim(Capacity(2, 2, 0))) == ["a1", "a2"]
    assert ids(leases(redis).claim(Capacity(1, 1, 1))) == ["a3", "b1"]


def test_beyond_the_room_only_merchants_come_who_are_not_here(redis: Redis) -> None:
    enqueue(redis, "a1", "a2")
    enqueue(redis, "c1", "c2", merchant="cleo")
    enqueue(redis, "d1", merchant="dora")
    here = frozenset({"ada"})
    assert ids(leases(redis).claim(Capacity(0, 0, 0, newcomers=3, here=here))) == ["c1", "d1"]
    assert ids(leases(redis).claim(Capacity(1, 1, 0, newcomers=1, here=here))) == ["a1", "c2"]


def few(redis: Redis, worker: str = "w1", per_merchant: int = 2) -> Leases:
    return Leases(redis, "null", worker, lease_s=20, per_merchant=per_merchant)


def test_no_more_of_one_merchant_are_held_than_may_be_and_others_pass(redis: Redis) -> None:
    enqueue(redis, "a1", "a2", "a3", "a4", lane=Lane.BULK)
    enqueue(redis, "c1", merchant="cleo", lane=Lane.BULK)
    mine = few(redis).claim(Capacity(0, 8, 0))
    assert ids(mine) == ["a1", "c1", "a2"]
    assert few(redis, "w2").claim(Capacity(0, 8, 0)) == [], "whoever of the workers asks"
    enqueue(redis, "d1", merchant="dora", lane=Lane.BULK)
    assert ids(few(redis).claim(Capacity(0, 8, 0))) == ["d1"]
    few(redis).hand_back(mine[:1])
    assert ids(few(redis).claim(Capacity(0, 8, 0))) == ["a1"]
    lose(redis, mine[2:])
    few(redis).recover()
    assert ids(few(redis).claim(Capacity(0, 8, 0))) == ["a2"], "one who died holds nothing for ever"


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    per_merchant=st.integers(1, 3),
    moves=st.lists(
        st.tuples(
            st.sampled_from(["enqueue", "claim", "settle"]),
            st.sampled_from(["ada", "ben", "cleo"]),
            st.integers(1, 4),
        ),
        max_size=25,
    ),
)
def test_a_claim_fills_its_room_as_far_as_the_merchants_may(
    redis: Redis, per_merchant: int, moves: list[tuple[str, str, int]]
) -> None:
    redis.flushall()
    worker, held, waiting, count = few(redis, "w1", per_merchant), list[Claim](), Counter[str](), 0
    for move, merchant, n in moves:
        if move == "enqueue":
            enqueue(redis, *(f"j{count + i}" for i in range(n)), merchant=merchant, lane=Lane.BULK)
            waiting[merchant] += n
            count += n
        elif move == "settle":
            done = [claim for claim in held if claim.merchant == merchant][:n]
            for claim in done:
                redis.zrem(f"rq:wip:{claim.queue}", claim.member)
            held = [claim for claim in held if claim not in done]
        else:
            got = worker.claim(Capacity(0, n, 0))
            held += got
            waiting -= Counter(claim.merchant for claim in got)
            mine = Counter(claim.merchant for claim in held)
            assert max(mine.values(), default=0) <= per_merchant
            could = sum(min(waiting[m], per_merchant - mine[m]) for m in waiting)
            assert len(got) == n or could == 0


def test_a_job_that_was_deleted_is_passed_over(redis: Redis) -> None:
    enqueue(redis, "a1", "a2")
    redis.delete("rq:job:a1")
    assert ids(leases(redis).claim(Capacity(2, 2, 0))) == ["a2"]


def test_suspended_workers_get_nothing(redis: Redis) -> None:
    enqueue(redis, "a1")
    redis.set("rq:suspended", 1)
    assert leases(redis).claim(Capacity(2, 2, 0)) == []


def test_a_lease_is_kept_until_it_is_lost(redis: Redis) -> None:
    enqueue(redis, "a1", "a2")
    mine = leases(redis).claim(Capacity(2, 2, 0))
    assert leases(redis).keep(mine) == set()
    lose(redis, mine[:1])
    assert leases(redis).keep(mine) == {"a1"}
    assert not redis.exists(contract.lease_key(mine[0].member)), "a lost lease never revives"


def test_handed_back_jobs_are_first_in_line_and_unmarked(redis: Redis) -> None:
    enqueue(redis, "a1", "a2")
    mine = leases(redis).claim(Capacity(1, 1, 0))
    leases(redis).hand_back(mine)
    leases(redis).hand_back(mine)
    assert redis.lrange(f"rq:queue:{NAME}", 0, -1) == [b"a1", b"a2"]
    (again,) = leases(redis, "w2").claim(Capacity(1, 1, 0))
    assert (again.job_id, again.losses) == ("a1", 0)


def test_a_lost_job_comes_back_marked_and_runs_alone_after_two(redis: Redis) -> None:
    enqueue(redis, "a1")
    seen = []
    for _ in range(MAX_LOSSES - 1):
        lose(redis, leases(redis).claim(Capacity(1, 1, 0)))
        assert leases(redis).recover() == (1, [])
        (claim,) = claims = leases(redis).claim(Capacity(1, 1, 0))
        seen.append((claim.losses, claim.runs_alone))
        leases(redis).hand_back(claims)
    assert seen == [(1, False), (2, True)]
    lose(redis, leases(redis).claim(Capacity(1, 1, 0)))
    back, (hopeless,) = leases(redis, "w2").recover()
    assert (back, hopeless.job_id, hopeless.losses) == (0, "a1", MAX_LOSSES)
    assert leases(redis, "w2").keep([hopeless]) == set()


def test_a_job_that_was_never_started_is_not_suspected(redis: Redis) -> None:
    enqueue(redis, "a1")
    lose(redis, leases(redis).claim(Capacity(1, 1, 0)), started=False)
    leases(redis).recover()
    (claim,) = leases(redis).claim(Capacity(1, 1, 0))
    assert claim.losses == 0


def test_recovery_leaves_other_engines_alone_and_heals_the_ring(redis: Redis) -> None:
    enqueue(redis, "a1")
    redis.delete(contract.ring_key("null", Lane.LIVE))
    assert leases(redis).claim(Capacity(1, 1, 0)) == []
    assert Leases(redis, "nul", "w", 20).recover() == (0, [])
    leases(redis).recover()
    assert ids(leases(redis).claim(Capacity(1, 1, 0))) == ["a1"]


def test_an_abandoned_job_is_recovered_like_a_dead_workers(redis: Redis) -> None:
    enqueue(redis, "a1")
    mine = leases(redis).claim(Capacity(1, 1, 0))
    redis.hset("rq:job:a1", "status", "started")
    leases(redis).abandon(mine)
    assert leases(redis, "w2").recover() == (1, [])
    (again,) = leases(redis, "w2").claim(Capacity(1, 1, 0))
    assert (again.job_id, again.losses) == ("a1", 1)


# --- shares --------------------------------------------------------------------------------------


def shares(redis: Redis) -> dict[str, float]:
    """What each merchant is ahead of the clock, in ms."""
    found: dict[Any, Any] = redis.hgetall(SHARES)
    told = {merchant.decode(): float(had) for merchant, had in found.items()}
    clock = told.pop("", 0.0)
    return {merchant: had - clock for merchant, had in told.items()}


def test_a_merchant_who_had_more_waits_until_the_others_had_as_much(redis: Redis) -> None:
    enqueue(redis, "a1", "a2")
    enqueue(redis, "c1", "c2", "c3", merchant="cleo")
    worker = leases(redis)
    assert ids(worker.claim(Capacity(1, 1, 0), expected_ms=100)) == ["a1"]
    worker.charge({(Lane.LIVE, "ada"): 400.0})
    assert shares(redis) == {"ada": 250.0, "cleo": -250.0}
    order = [ids(worker.claim(Capacity(1, 1, 0), expected_ms=200))[0] for _ in range(4)]
    assert order == ["c1", "c2", "c3", "a2"]


def test_a_job_that_was_not_run_gives_back_what_it_was_charged_with(redis: Redis) -> None:
    enqueue(redis, "a1", "a2")
    enqueue(redis, "c1", merchant="cleo")
    worker = leases(redis)
    (mine,) = worker.claim(Capacity(1, 1, 0), expected_ms=100)
    worker.charge({(mine.lane, mine.merchant): -mine.charged_ms})
    assert shares(redis) == {"ada": 0.0, "cleo": 0.0}


def test_who_is_alone_owes_nothing_and_nothing_is_kept_of_an_empty_line(redis: Redis) -> None:
    enqueue(redis, "a1", "a2")
    worker = leases(redis)
    worker.claim(Capacity(1, 1, 0))
    assert shares(redis) == {"ada": 0.0}
    worker.claim(Capacity(1, 1, 0))
    worker.recover()
    assert not redis.exists(SHARES)


def test_recovery_drops_the_credit_of_those_who_left(redis: Redis) -> None:
    enqueue(redis, "a1", "a2")
    worker = leases(redis)
    worker.claim(Capacity(1, 1, 0))
    redis.hset(SHARES, mapping={"gone": -5, "owing": 10**6})
    worker.recover()
    assert set(shares(redis)) == {"ada", "owing"}
    assert redis.ttl(SHARES) > 0


def test_recovery_forgets_queues_of_which_nothing_is_left(redis: Redis) -> None:
    """Or every look at all queues would see every merchant who ever came. One of the empty ones
    stays, or nobody would know of an engine that has neither work nor workers."""
    worker = leases(redis)
    enqueue(redis, "a1", merchant="held")
    worker.claim(Capacity(1, 1, 0))
    enqueue(redis, "b1", merchant="waits")
    done = {f"rq:queue:null:live:done{n}" for n in range(5)}
    redis.sadd("rq:queues", *done)
    redis.sadd("rq:queues", "rq:queue:null:live:failed", "rq:queue:other:live:mer")
    redis.zadd("rq:failed:null:live:failed", {"d1": time.time() + 60})
    worker.recover()
    left: Any = redis.smembers("rq:queues")
    names = {key.decode() for key in left}
    assert len(names & done) == 1
    kept = {name.removeprefix("rq:queue:") for name in names - done}
    assert kept == {"null:live:held", "null:live:waits", "null:live:failed", "other:live:mer"}
    enqueue(redis, *(f"c{n}" for n in range(5)), merchant="done0")
    assert redis.sismember("rq:queues", "rq:queue:null:live:done0")


@dataclass
class Model:
    """The script's law in Python: least first, and whoever waits is credited its part."""

    line: list[str] = field(default_factory=list)
    jobs: Counter[str] = field(default_factory=Counter)
    had: dict[str, float] = field(default_factory=dict)
    clock: float = 0.0

    def enqueue(self, merchant: str, count: int) -> None:
        self.jobs[merchant] += count
        if merchant not in self.line:
            self.line.append(merchant)

    def charge(self, merchant: str, ms: float) -> None:
        among = len(self.line) + (merchant not in self.line)
        self.had[merchant] = self.had.get(merchant, self.clock) + ms
        self.clock += ms / among
        if merchant not in self.line and self.had[merchant] <= self.clock + 1e-9:
            del self.had[merchant]

    def claim(self, ms: float) -> str | None:
        for merchant in self.line:
            self.had.setdefault(merchant, self.clock)
        if not self.line:
            return None
        first = min(self.line, key=lambda merchant: self.had[merchant])
        self.line.remove(first)
        self.jobs[first] -= 1
        if self.jobs[first]:
            self.line.append(first)
        self.charge(first, ms)
        return first


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    moves=st.lists(
        st.tuples(
            st.sampled_from(["enqueue", "claim", "charge"]),
            st.sampled_from(["ada", "ben", "cleo"]),
            st.integers(1, 3),
            # powers of two and three merchants at most: exact enough that both see the same ties
            st.sampled_from([64.0, 512.0, -32.0]),
        ),
        max_size=30,
    )
)
def test_the_script_follows_the_model(
    redis: Redis, moves: list[tuple[str, str, int, float]]
) -> None:
    redis.flushall()
    worker, model, count = leases(redis), Model(), 0
    for move, merchant, n, ms in moves:
        if move == "enqueue":
            enqueue(redis, *(f"j{count + i}" for i in range(n)), merchant=merchant)
            model.enqueue(merchant, n)
            count += n
        elif move == "charge":
            worker.charge({(Lane.LIVE, merchant): ms})
            model.charge(merchant, ms)
        else:
            got = worker.claim(Capacity(1, 1, 0), expected_ms=abs(ms))
            expected = model.claim(abs(ms))
            if got and got[0].merchant != expected:  # a tie, but for rounding
                assert expected is not None
                level = abs(model.had[got[0].merchant] - model.had[expected])
                assert level <= abs(ms) + 0.01
                return
            assert [claim.merchant for claim in got] == ([expected] if expected else [])
        assert shares(redis) == pytest.approx(
            {who: had - model.clock for who, had in model.had.items()}, abs=0.1
        )


@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    costs=st.tuples(st.integers(20, 1000), st.integers(20, 1000), st.integers(20, 1000)),
    workers=st.integers(1, 3),
    slots=st.integers(1, 3),
)
def test_merchants_get_the_same_milliseconds_of_several_workers(
    redis: Redis, costs: tuple[int, int, int], workers: int, slots: int
) -> None:
    """Each worker has jobs in hand whose cost is known, and charged, only at their end. Nobody's
    line runs dry: whoever is drawn asks for another picture."""
    redis.flushall()
    cost = dict(zip(["ada", "ben", "cleo"], costs, strict=True))
    number = count()
    for merchant in cost:
        enqueue(redis, *(f"j{next(number)}" for _ in range(10)), merchant=merchant)
    hands: list[list[tuple[float, Claim]]] = [[] for _ in range(workers)]
    had: Counter[str] = Counter()
    now = [0.0] * workers
    for _ in range(120):
        w = min(range(workers), key=lambda w: now[w])
        room = slots - len(hands[w])
        for claim in leases(redis, f"w{w}").claim(Capacity(room, room, 0), expected_ms=300):
            hands[w].append((now[w] + cost[claim.merchant] * slots, claim))
            enqueue(redis, f"j{next(number)}", merchant=claim.merchant)
        done = min(hands[w], key=lambda held: held[0])
        hands[w].remove(done)
        now[w], claim = done
        had[claim.merchant] += cost[claim.merchant]
        leases(redis).charge({(Lane.LIVE, claim.merchant): cost[claim.merchant] - claim.charged_ms})
    spread = max(had.values()) - min(had[merchant] for merchant in cost)
    assert spread <= (workers * slots + 2) * max(costs)


@settings(
    deadline=None, max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(debt=st.integers(0, 5000))
def test_nobody_starves_behind_merchants_who_are_always_new(redis: Redis, debt: int) -> None:
    redis.flushall()
    worker = leases(redis)
    enqueue(redis, "odd")
    worker.charge({(Lane.LIVE, "ada"): 0.0, (Lane.LIVE, "none"): 2.0 * debt})
    redis.hincrbyfloat(SHARES, "ada", debt)
    for n in range(60):
        enqueue(redis, f"j{n}", merchant=f"new{n}")
        enqueue(redis, f"k{n}", merchant=f"newer{n}")
        if "odd" in ids(worker.claim(Capacity(1, 1, 0), expected_ms=1000)):
            return
    raise AssertionError("odd starved")


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
            held += worker.claim(Capacity(n, n, 1))
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
