"""The arbitrator on a real Redis, as one object and as processes that are killed and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from gpu_worker import contract
from gpu_worker.arbitrator import Arbitrator, clear_override, set_override
from gpu_worker.arbitrator.loop import TURN_S
from gpu_worker.contract import Lane, Law, Mode, Policy
from gpu_worker.control import Override, Terms
from gpu_worker.queue.redis import redis_client
from local.children import Child, free_port, spawn, stop
from server.infra.jobs import Jobs
from tests.services import redis_server
from tests.waiting import wait_for

DEVICE = "NVIDIA H200"


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with redis_client(redis_url) as client:
        yield client


def heartbeat(redis: Redis, worker: str = "null-here-1-a", **changes: Any) -> None:
    """What a worker of profile A says of itself."""
    told: dict[Any, Any] = {
        "engine": worker.partition("-")[0],
        "device": DEVICE,
        "max_slots": 8,
        "held": 0,
        "live": 0,
        "steps:full": 50,
        "around_ms:768x1024": "10.0",
        **{f"step_ms:768x1024:{b}": f"{3 + 60 * b:.2f}" for b in (1, 2, 4, 8)},
        **changes,
    }
    redis.sadd("rq:workers", f"rq:worker:{worker}")
    redis.hset(contract.worker_key(worker), mapping=told)


def enqueue(redis: Redis, count: int, lane: Lane = Lane.LIVE, engine: str = "null") -> None:
    for n in range(count):
        job = contract.TryOnJob(
            merchant_id="mer_ada",
            site_id="sit_1",
            accepted_at_ms=0,
            try_on_id=f"{lane}-{n}",
            engine=engine,
            category=contract.Category.UPPER,
            photo_key="p",
            garment_key="g",
            result_key="r",
        )
        Jobs(redis).enqueue(job, engine, lane)


def policy_of(redis: Redis, engine: str = "null") -> Policy | None:
    hash_: Any = redis.hgetall(contract.policy_key(engine))
    return Policy.from_redis(hash_)


def ruled(redis: Redis, terms: Terms | None = None, turns: int = 1) -> Policy:
    """The policy after some turns of a new arbitrator."""
    arbitrator, now = Arbitrator(redis, terms or Terms()), time.time()
    for turn in range(turns):
        assert arbitrator.loop(now + turn / 2)
    arbitrator.leave()
    policy = policy_of(redis)
    assert policy is not None
    return policy


# --- what it writes ------------------------------------------------------------------------------


def test_it_learns_what_a_worker_measured_and_says_what_to_expect(redis: Redis) -> None:
    heartbeat(redis)
    policy = ruled(redis)
    assert (policy.batch_size, policy.tier, policy.mode) == (1, "full", Mode.VIP)
    assert policy.predicted_s == pytest.approx(50 * 0.063 + 0.010, rel=0.01)
    assert policy.law is Law.LEARNED
    assert 0 < redis.pttl(contract.policy_key("null")) <= contract.POLICY_TTL_S * 1000


def test_a_line_lowers_the_tier_and_asks_for_workers(redis: Redis) -> None:
    heartbeat(redis)
    enqueue(redis, 40)
    policy = ruled(redis)
    assert (policy.tier, policy.mode) == ("small", Mode.DEGRADED)
    assert int(redis.hget(contract.SCALE, "null") or 0) > 1
    assert 0 < redis.ttl(contract.SCALE) <= contract.SCALE_TTL_S


def test_bulk_that_waits_gets_slots_and_lowers_nothing(redis: Redis) -> None:
    profile_b: dict[str, Any] = {f"step_ms:768x1024:{b}": 7.3 + 12.9 * b for b in (1, 2, 4, 8)}
    heartbeat(redis, **profile_b)
    enqueue(redis, 300, Lane.BULK)
    policy = ruled(redis)
    assert (policy.batch_size, policy.tier) == (8, "full")


def test_an_engine_without_a_worker_asks_for_its_first(redis: Redis) -> None:
    enqueue(redis, 1, engine="catvton-maskfree")
    arbitrator = Arbitrator(redis, Terms())
    arbitrator.loop(time.time())
    assert redis.hget(contract.SCALE, "catvton-maskfree") == b"1"


def test_engines_do_not_mix(redis: Redis) -> None:
    heartbeat(redis, "null-here-1-a")
    heartbeat(redis, "preview-here-2-a", **{"step_ms:768x1024:1": 400, "steps:full": 1})
    ruled(redis)
    preview = policy_of(redis, "preview")
    assert preview is not None
    assert preview.picture_s < 1


def test_thresholds_read_depth_and_wait(redis: Redis) -> None:
    heartbeat(redis)
    enqueue(redis, 11)
    simple = Terms(law=Law.THRESHOLDS)
    policy = ruled(redis, simple)
    assert (policy.batch_size, policy.tier, policy.law) == (4, "full", Law.THRESHOLDS)
    for n in range(11):
        redis.hset(f"rq:job:live-{n}", "enqueued_at", "2026-01-01T00:00:00.000000Z")
    assert ruled(redis, simple).mode is Mode.DEGRADED


def test_the_curve_outlives_its_worker_and_the_arbitrator(redis: Redis) -> None:
    heartbeat(redis)
    ruled(redis)
    redis.delete(contract.worker_key("null-here-1-a"))
    redis.sadd("rq:workers", "rq:worker:null-here-9-b")
    bare: dict[Any, Any] = {"engine": "null", "device": DEVICE, "max_slots": 8}
    redis.hset(contract.worker_key("null-here-9-b"), mapping=bare)
    assert ruled(redis).predicted_s == pytest.approx(50 * 0.063 + 0.010, rel=0.01)


def test_one_mad_report_moves_nothing(redis: Redis) -> None:
    arbitrator, now = Arbitrator(redis, Terms()), time.time()
    for turn in range(5):
        jitter = {"step_ms:768x1024:1": f"{63 + turn / 100}"}
        heartbeat(redis, **jitter)
        arbitrator.loop(now + turn)
    heartbeat(redis, **{"step_ms:768x1024:1": "90000"})
    arbitrator.loop(now + 6)
    policy = policy_of(redis)
    assert policy is not None
    assert policy.picture_s == pytest.approx(3.16, rel=0.01)


def test_a_new_arbitrator_goes_on_from_the_tier_in_force(redis: Redis) -> None:
    heartbeat(redis)
    low: dict[Any, Any] = Policy(batch_size=1, tier="small").to_redis()
    redis.hset(contract.policy_key("null"), mapping=low)
    assert ruled(redis).tier == "small"
    assert ruled(redis, turns=60).tier == "full"


# --- an operator's word --------------------------------------------------------------------------


def test_an_override_holds_until_its_end(redis: Redis) -> None:
    heartbeat(redis)
    set_override(redis, "null", Override(batch_size=8, mode=Mode.SURGE), for_s=600)
    policy = ruled(redis)
    assert (policy.batch_size, policy.mode, policy.law) == (8, Mode.SURGE, Law.OVERRIDE)
    assert 0 < redis.ttl(contract.override_key("null")) <= 600
    redis.pexpire(contract.override_key("null"), 1)
    wait_for(lambda: not redis.exists(contract.override_key("null")))
    assert ruled(redis).law is Law.LEARNED


@pytest.mark.parametrize("size", ["many", "-1", "0", "2.5", "\u00b2"])
def test_what_cannot_be_read_is_not_held(redis: Redis, size: str) -> None:
    heartbeat(redis)
    redis.hset(contract.override_key("null"), "batch_size", size)
    assert ruled(redis).law is Law.LEARNED


def test_a_cleared_override_is_gone(redis: Redis) -> None:
    set_override(redis, "null", Override(tier="small"), for_s=600)
    assert clear_override(redis, "null")
    assert not clear_override(redis, "null")


def command(redis_url: str, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gpu_worker", *argv],
        env={**os.environ, "REDIS_URL": redis_url, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_holds_and_clears(redis: Redis, redis_url: str) -> None:
    asked = ["--batch-size", "8", "--mode", "surge", "--for", "30m"]
    done = command(redis_url, "override", "null", *asked)
    assert done.returncode == 0
    assert done.stdout.startswith("null: held fast until ")
    held = redis.hgetall(contract.override_key("null"))
    assert held == {b"batch_size": b"8", b"mode": b"surge"}
    assert 1700 < redis.ttl(contract.override_key("null")) <= 1800
    done = command(redis_url, "override", "null", "--clear")
    assert (done.returncode, done.stdout) == (0, "null: back to the law\n")


WRONG = [
    ["null"],
    ["null", "--for", "30m"],
    ["null", "--mode", "surge"],
    ["null", "--mode", "fast", "--for", "30m"],
    ["null", "--tier", "moon", "--for", "30m"],
    ["null", "--batch-size", "0", "--for", "30m"],
    ["null", "--mode", "vip", "--for", "forever"],
    ["null", "--clear", "--mode", "vip"],
]


@pytest.mark.parametrize("argv", WRONG, ids=" ".join)
def test_a_wrong_override_holds_nothing(
    argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gpu_worker.arbitrator import commands

    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")  # nobody: it must not get so far
    try:
        code = commands.main(["override", *argv], redis_client)
    except SystemExit as end:  # argparse's own
        code = int(end.code or 0)
    assert code == 2
    assert "override" in capsys.readouterr().err


# --- one rules -----------------------------------------------------------------------------------


def test_one_rules_and_the_other_looks_on(redis: Redis) -> None:
    heartbeat(redis)
    first, second = Arbitrator(redis, Terms()), Arbitrator(redis, Terms(law=Law.THRESHOLDS))
    assert first.loop(time.time())
    assert not second.loop(time.time())
    policy = policy_of(redis)
    assert policy is not None
    assert policy.law is Law.LEARNED
    first.leave()
    assert second.loop(time.time())


def test_who_lost_the_lock_writes_nothing(redis: Redis) -> None:
    from gpu_worker.arbitrator.leader_lock import LeaderLock

    slow, quick = LeaderLock(redis), LeaderLock(redis)
    assert slow.acquire()
    redis.delete(contract.ARBITRATOR)  # stopped for longer than its lock lives
    assert quick.acquire()
    assert not slow.publish({"null": {"batch_size": "1"}}, {"null": 9})
    assert not redis.exists(contract.policy_key("null"), contract.SCALE)
    slow.release()
    assert redis.get(contract.ARBITRATOR) == quick.name.encode()


class Court:
    """Arbitrator processes, and which of them rules."""

    def __init__(self, redis: Redis, url: str, folder: Path):
        self.redis, self.url, self.folder = redis, url, folder
        self.children: list[Child] = []

    def start(self, **env: str) -> Child:
        log = self.folder / f"arbitrator-{len(self.children)}.log"
        child = spawn(
            [sys.executable, "-m", "gpu_worker", "arbitrate"],
            log=log,
            env={**os.environ, "REDIS_URL": self.url, **env},
        )
        self.children.append(child)
        return child

    def ruler(self) -> int | None:
        name: Any = self.redis.get(contract.ARBITRATOR)
        return int(name.decode().split("-")[-2]) if name else None

    def wait_for_ruler(self, child: Child) -> None:
        wait_for(lambda: self.ruler() == child.pid)

    def wait_for_policy_after(self, at: float) -> None:
        wait_for(lambda: (policy := policy_of(self.redis)) is not None and policy.ts > at)


@pytest.fixture
def court(redis: Redis, redis_url: str, tmp_path: Path) -> Iterator[Court]:
    made = Court(redis, redis_url, tmp_path)
    yield made
    for child in made.children:
        stop(child, with_signal=signal.SIGKILL)


@pytest.mark.faults
@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_the_second_takes_over_from_a_dead_or_a_stopped_one(
    court: Court, fault: signal.Signals
) -> None:
    heartbeat(court.redis)
    first = court.start()
    court.wait_for_ruler(first)
    second = court.start()
    wait_for(lambda: "looks on" in (court.folder / "arbitrator-1.log").read_text())
    first.send_signal(fault)
    # Within 5 s, as designed: by the lock's life, for a clock tells of the machine's speed.
    left_ms = court.redis.pttl(contract.ARBITRATOR)
    assert left_ms != -1, "a lock without an end"
    assert left_ms / 1000 + TURN_S < 5
    court.wait_for_ruler(second)
    court.wait_for_policy_after(time.time())
    if fault is signal.SIGSTOP:
        first.send_signal(signal.SIGCONT)
        wait_for(lambda: "looks on" in (court.folder / "arbitrator-0.log").read_text())
        assert court.ruler() == second.pid


@pytest.mark.faults
def test_told_to_end_it_ends_and_leaves_the_lock_to_the_next(court: Court) -> None:
    child = court.start()
    court.wait_for_ruler(child)
    child.send_signal(signal.SIGTERM)
    assert child.wait(60) == 0
    assert court.ruler() is None


@pytest.mark.faults
def test_a_redis_that_hangs_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    with redis_server(tmp_path) as url:
        court = Court(redis_client(url), url, tmp_path)
        child = court.start()
        try:
            court.wait_for_ruler(child)
            court.redis.client_pause(20_000)
            child.send_signal(signal.SIGTERM)
            assert child.wait(15) == 0  # before Redis answers again
        finally:
            stop(child, with_signal=signal.SIGKILL)


@pytest.mark.faults
def test_it_waits_for_a_redis_that_comes_late_and_ends_without_one(tmp_path: Path) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    log = tmp_path / "arbitrator-0.log"
    court = Court(redis_client(url), url, tmp_path)
    child = court.start()
    try:
        wait_for(lambda: "Redis is away" in log.read_text())
        with redis_server(tmp_path, port):
            court.wait_for_ruler(child)
        wait_for(lambda: log.read_text().count("Redis is away") > 1)
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
    finally:
        stop(child, with_signal=signal.SIGKILL)


def test_wrong_settings_end_it_with_2(redis_url: str) -> None:
    done = command(redis_url, "arbitrate", PROTEUS_POLICY="moon", PROTEUS_TARGET_S="soon")
    assert done.returncode == 2
    told = [line.split(":")[0] for line in done.stderr.splitlines()]
    assert told == ["PROTEUS_POLICY", "PROTEUS_TARGET_S"]
