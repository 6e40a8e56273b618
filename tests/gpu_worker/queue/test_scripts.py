"""The Lua scripts: their keys are the contract's and RQ's, and they are found from anywhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue, Worker
from rq.executions import Execution, ExecutionRegistry
from rq.job import Job as RqJob
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.suspension import WORKERS_SUSPENDED

from gpu_worker import contract
from gpu_worker.contract import BELL_LENGTH, Lane
from gpu_worker.queue import leases as module
from gpu_worker.queue.leases import Capacity, Leases
from server.infra.jobs import Jobs
from tests.house.source import ROOT, sources, tracked
from tests.tailoring import photo_job

LUA = ROOT / "gpu_worker" / "queue" / "lua"
PREFIXES = ["LEASE", "TURNS", "QUEUE", "JOB", "STARTED", "FAILED", "EXECUTION", "EXECUTIONS"]
FUNCTIONS = {"names", "moves", "shares", "join", "rounds"}
SCRIPTS = [path for path in tracked() if path.suffix == ".lua"]


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


def test_what_scripts_build_is_named_as_the_contract_and_rq_name_it(redis: Redis) -> None:
    script = contract.lua(LUA, "names") + f"return {{{', '.join(PREFIXES)}}}"
    found: Any = redis.eval(script, 0)
    queue, job = Queue("q", connection=redis), RqJob(id="j", connection=redis)
    execution = Execution("x", "j", redis)
    assert dict(zip(PREFIXES, (prefix.decode() for prefix in found), strict=True)) == {
        "LEASE": contract.lease_key(""),
        "TURNS": contract.turns_key(""),
        "QUEUE": queue.key.removesuffix("q"),
        "JOB": job.key.removesuffix("j"),
        "STARTED": StartedJobRegistry(queue=queue).key.removesuffix("q"),
        "FAILED": FailedJobRegistry(queue=queue).key.removesuffix("q"),
        "EXECUTION": execution.key.removesuffix("j:x"),
        "EXECUTIONS": ExecutionRegistry("j", redis).key.removesuffix("j"),
    }


def test_rqs_names_in_the_contract_are_rqs(redis: Redis) -> None:
    assert Queue.redis_queues_keys == contract.RQ_QUEUES
    assert Worker.redis_workers_keys == contract.RQ_WORKERS
    assert contract.RQ_SUSPENDED == WORKERS_SUSPENDED
    assert contract.rq_queue_key("q") == Queue("q", connection=redis).key
    assert contract.rq_job_key("j") == RqJob.key_for("j")
    assert contract.rq_worker_key("w") == Worker.redis_worker_namespace_prefix + "w"


def test_the_keys_come_in_the_order_in_which_the_scripts_read_them(redis: Redis) -> None:
    told = "{RING.live, RING.bulk, SHARES.live, SHARES.bulk, BELL, SUSPENDED, QUEUES}"
    keys = module._keys("null")
    found: Any = redis.eval(contract.lua(LUA, "names") + f"return {told}", len(keys), *keys)
    assert [key.decode() for key in found] == [
        "proteus:ring:null:live", "proteus:ring:null:bulk",
        "proteus:shares:null:live", "proteus:shares:null:bulk",
        "proteus:bell:null", "rq:suspended", "rq:queues",
    ]  # fmt: skip


def test_the_bell_is_as_long_whoever_rings_it(redis: Redis) -> None:
    bell, job = contract.bell_key("tailor"), photo_job()
    redis.lpush(bell, *["1"] * 2 * BELL_LENGTH)
    Jobs(redis).enqueue(job, "tailor", Lane.LIVE)
    assert redis.llen(bell) == BELL_LENGTH
    holder = Leases(redis, "tailor", "w1", lease_s=20)
    claims = holder.claim(Capacity(1, 1, 0))
    redis.lpush(bell, *["1"] * BELL_LENGTH)
    holder.hand_back(claims)
    assert redis.llen(bell) == BELL_LENGTH


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_opens_with_what_it_gets_and_returns(path: Path) -> None:
    lines = path.read_text().splitlines()
    head = "\n".join(takewhile(lambda line: line.startswith("--"), lines))
    wanted = ["unction"] if path.stem in FUNCTIONS else ["KEYS", "ARGV", "Returns"]
    assert [word for word in wanted if word not in head] == []
    assert max(map(len, lines)) <= 110


def test_no_module_holds_lua() -> None:
    modules = sources(".py", "gpu_worker", "server")
    assert [path for path in modules if "redis.call" in path.read_text()] == []


def test_they_are_found_from_any_directory(tmp_path: Path) -> None:
    code = "from gpu_worker.queue import leases; from gpu_worker.arbitrator import leader_lock; "
    code += "from server.auth import limits; from server.web.live import seats"
    argv = [sys.executable, "-c", code]
    subprocess.run(argv, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True, timeout=60)
