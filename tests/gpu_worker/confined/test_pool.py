"""Children with limits: honest work, work that overruns each limit, and the ends of both sides."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gpu_worker.confined import Limits, OverrunError, Pool, PoolClosedError, WorkFailedError
from tests.waiting import wait_for

CHORES = "tests.gpu_worker.confined.chores"
LIMITS = Limits(cpu_s=0.3, wall_s=60, memory_bytes=1 << 28, answer_bytes=1 << 25)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    made = Pool(CHORES, size=1, limits=LIMITS, no_files=True)
    yield made
    made.close()


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def child_of(pool: Pool) -> int:
    return int(pool.run({"do": "echo"}).head["pid"])


def test_one_child_does_one_piece_of_work_after_another(pool: Pool) -> None:
    body = os.urandom(9_000_001)
    first, second = pool.run({"do": "echo", "n": 1}, body), pool.run({"do": "echo", "n": 2})
    assert (first.head["n"], bytes(first.body), bytes(second.body)) == (1, body, b"")
    assert first.head["pid"] == second.head["pid"] != os.getpid()
    assert first.cpu_ms > 0


def test_work_that_raises_ends_nobody(pool: Pool) -> None:
    pid = child_of(pool)
    with pytest.raises(WorkFailedError, match="LookupError: no such thing") as failed:
        pool.run({"do": "fail"})
    assert 0 < failed.value.cpu_ms < 60_000
    assert child_of(pool) == pid


@pytest.mark.parametrize(
    ("chore", "kind", "least_cpu_ms"),
    [
        ({"do": "spin"}, "cpu", 200),
        ({"do": "eat", "bytes": 1 << 29}, "memory", 0),
        ({"do": "die", "signal": "SIGSEGV"}, "crash", 0),
        ({"do": "die", "signal": "SIGKILL"}, "crash", 0),  # again in a second child
        ({"do": "garble"}, "crash", 0),
        ({"do": "chatter"}, "crash", 0),
    ],
)
def test_an_overrun_is_told_with_its_cost_and_another_child_goes_on(
    pool: Pool, chore: dict[str, Any], kind: str, least_cpu_ms: float
) -> None:
    pid = child_of(pool)
    with pytest.raises(OverrunError) as overrun:
        pool.run(chore)
    assert (overrun.value.kind, is_running(pid)) == (kind, False)
    assert overrun.value.cpu_ms >= least_cpu_ms
    assert child_of(pool) != pid


def test_what_sleeps_is_ended_on_the_wall(tmp_path: Path) -> None:
    made = Pool(CHORES, size=1, limits=Limits(cpu_s=9, wall_s=0.2, memory_bytes=1 << 28))
    with pytest.raises(OverrunError) as overrun:
        made.run({"do": "sleep", "mark": str(tmp_path / "mark")})
    assert (overrun.value.kind, overrun.value.wall_ms >= 200) == ("wall", True)
    made.close()


def test_work_whose_child_was_killed_from_outside_is_done_by_another(tmp_path: Path) -> None:
    made = Pool(CHORES, size=1, limits=LIMITS)
    pid = child_of(made)
    os.kill(pid, signal.SIGKILL)
    assert child_of(made) != pid  # it was idle
    once = str(tmp_path / "once")
    assert made.run({"do": "die", "signal": "SIGKILL", "once": once}).head == {}  # at work
    made.close()


def test_a_child_has_neither_our_secrets_nor_a_way_out(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "REDIS_URL", "S3_BUCKET", "DATABASE_URL", "PROTEUS_X"):
        monkeypatch.setenv(name, "secret")
    made = Pool(CHORES, size=1, limits=LIMITS, no_files=True, env={"TZ": "UTC"})
    found = made.run({"do": "reach"}).head
    made.close()
    threads = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}
    assert set(found["environment"]) - threads == {"PATH", "LANG", "TZ"}
    assert (found["file"], found["socket"]) == ("24", "24")  # EMFILE
    # The three, the answers, the shared memory, the pipe that ends with us.
    assert len(found["descriptors"]) == 6


def test_callers_wait_for_a_free_child_and_each_gets_the_answer_of_its_own() -> None:
    made = Pool(CHORES, size=2, limits=LIMITS)
    with ThreadPoolExecutor(8) as threads:
        asked = [str(n).encode() * 70_000 for n in range(24)]
        answers = list(threads.map(lambda body: made.run({"do": "echo"}, body), asked))
    assert [bytes(answer.body) for answer in answers] == asked
    assert len({answer.head["pid"] for answer in answers}) <= 2
    made.close()


def test_a_closed_pool_leaves_nobody_and_says_so(tmp_path: Path) -> None:
    made = Pool(CHORES, size=2, limits=LIMITS)
    mark = tmp_path / "mark"
    with ThreadPoolExecutor(1) as threads:
        sleeping = threads.submit(made.run, {"do": "sleep", "mark": str(mark)})
        wait_for(lambda: mark.exists() and mark.read_text())
        made.close()
        with pytest.raises(PoolClosedError):
            sleeping.result()
    assert not is_running(int(mark.read_text()))
    with pytest.raises(PoolClosedError):
        made.run({"do": "echo"})


def test_where_no_child_can_be_started_the_next_who_comes_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Pool(CHORES, size=1, limits=LIMITS)
    with monkeypatch.context() as broken:
        broken.setattr("gpu_worker.confined.process.ROOT", "/nowhere")
        with pytest.raises(OverrunError):
            made.run({"do": "die", "signal": "SIGSEGV"})
        with pytest.raises(FileNotFoundError):
            made.run({"do": "echo"})
    assert child_of(made)
    made.close()


def test_a_module_that_does_not_start_is_a_fault_of_ours() -> None:
    made = Pool("tests.gpu_worker.confined.nothing", size=1, limits=LIMITS)
    with pytest.raises(WorkFailedError, match="does not start"):
        made.run({"do": "echo"})
    made.close()


_PARENT = """
import sys
from gpu_worker.confined import Limits, Pool
pool = Pool("tests.gpu_worker.confined.chores", size=1, limits=Limits(1000, 1000, 1 << 28))
print(pool.run({"do": "echo"}).head["pid"], flush=True)
pool.run({"do": sys.argv[1], "mark": sys.argv[2]})
"""


@pytest.mark.parametrize("chore", ["sleep", "spin"])
def test_no_child_outlives_a_killed_parent(chore: str, tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _PARENT, chore, str(tmp_path / "mark")]
    parent = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    parent.communicate()
    wait_for(lambda: not is_running(pid))
