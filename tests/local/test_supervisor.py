"""The supervisor's turns, with real small processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local import children
from local.supervisor import DEATHS, Part, StackError, Supervisor

STAY = ["sleep", "600"]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervise(said: list[str]) -> Iterator[Callable[..., Supervisor]]:
    started: list[Supervisor] = []

    def make(*parts: Part) -> Supervisor:
        started.append(Supervisor(parts, said.append))
        return started[-1]

    yield make
    for supervisor in started:
        supervisor.stop(grace_s=2)


@pytest.fixture
def part(tmp_path: Path) -> Callable[..., Part]:
    def make(name: str, argv: list[str], **more: Any) -> Part:
        log = tmp_path / f"{name}.log"
        return Part(name=name, argv=argv, env=dict(os.environ), log=log, cwd=tmp_path, **more)

    return make


def turn_until(supervisor: Supervisor, done: Callable[[], bool]) -> None:
    def turned() -> bool:
        supervisor.loop(time.monotonic())
        return done()

    assert children.wait_until(turned, within_s=60)


def test_a_part_starts_when_what_it_needs_is_up(
    supervise: Callable[..., Supervisor], part: Callable[..., Part]
) -> None:
    gate = [False]
    supervisor = supervise(
        part("shop", STAY, is_healthy=lambda pid: True, after=frozenset({"seed"})),
        part("seed", ["true"], after=frozenset({"redis", "absent"})),
        part("redis", STAY, is_healthy=lambda pid: gate[0]),
    )
    supervisor.loop(0.0)
    supervisor.loop(1.0)
    assert set(supervisor.pids()) == {"redis"}
    gate[0] = True
    turn_until(supervisor, lambda: supervisor.is_ready)
    assert set(supervisor.pids()) == {"redis", "shop"}


def test_a_part_is_told_what_an_earlier_one_has_made(
    supervise: Callable[..., Supervisor], part: Callable[..., Part], tmp_path: Path
) -> None:
    made = tmp_path / "made"
    supervisor = supervise(
        part("seed", ["echo", "pk_live_1"], stdout=made),
        part(
            "shop",
            ["sh", "-c", "echo $KEY"],
            after=frozenset({"seed"}),
            learned=lambda: {"KEY": made.read_text().strip()},
        ),
    )
    turn_until(supervisor, lambda: supervisor.is_ready)
    assert (tmp_path / "shop.log").read_text() == "pk_live_1\n"


def test_a_part_that_dies_is_started_again(
    supervise: Callable[..., Supervisor], part: Callable[..., Part], said: list[str]
) -> None:
    supervisor = supervise(part("worker", STAY, is_healthy=lambda pid: True))
    turn_until(supervisor, lambda: supervisor.is_ready)
    first = supervisor.pids()["worker"]
    os.kill(first, signal.SIGKILL)
    turn_until(supervisor, lambda: supervisor.pids().get("worker", first) != first)
    assert "worker died (SIGKILL), starting it again" in said


def test_five_deaths_in_a_minute_end_the_stack(
    supervise: Callable[..., Supervisor], part: Callable[..., Part], tmp_path: Path
) -> None:
    supervisor = supervise(part("worker", ["sh", "-c", "echo no luck; exit 1"]))
    with pytest.raises(StackError, match="worker died 5 times in a minute") as caught:
        turn_until(supervisor, lambda: False)
    assert caught.value.exit_code == 1
    assert (tmp_path / "worker.log").read_text() == "no luck\n" * DEATHS


def test_deaths_far_apart_are_forgiven(
    supervise: Callable[..., Supervisor], part: Callable[..., Part]
) -> None:
    supervisor = supervise(part("worker", STAY, is_healthy=lambda pid: True))
    for minute in range(DEATHS + 2):
        supervisor.loop(minute * 61.0)
        pid = supervisor.pids()["worker"]
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        supervisor.loop(minute * 61.0 + 1)
    assert supervisor.pids()


def test_refused_settings_end_the_stack_at_once(
    supervise: Callable[..., Supervisor], part: Callable[..., Part]
) -> None:
    supervisor = supervise(part("server", ["sh", "-c", "exit 2"]))
    with pytest.raises(StackError, match="server refuses its settings") as caught:
        turn_until(supervisor, lambda: False)
    assert caught.value.exit_code == 2


def test_a_part_that_never_comes_up_ends_the_stack(
    supervise: Callable[..., Supervisor], part: Callable[..., Part]
) -> None:
    supervisor = supervise(part("server", STAY, is_healthy=lambda pid: False))
    supervisor.loop(0.0)
    with pytest.raises(StackError, match="not up after 60 s"):
        supervisor.loop(61.0)


def test_stop_ends_the_last_first_and_the_stubborn_too(
    supervise: Callable[..., Supervisor], part: Callable[..., Part], tmp_path: Path
) -> None:
    def telling(name: str) -> list[str]:
        trap = f"trap 'echo {name} >> ends; exit' TERM"
        return ["sh", "-c", f"{trap}; touch {name}; sleep 600 & wait"]

    stubborn = ["sh", "-c", "trap '' TERM; touch stubborn; sleep 600"]
    names = ["redis", "server", "stubborn"]
    supervisor = supervise(
        part("redis", telling("redis"), is_healthy=lambda pid: True),
        part("server", telling("server"), is_healthy=lambda pid: True, after=frozenset({"redis"})),
        part("stubborn", stubborn, is_healthy=lambda pid: True),
    )
    turn_until(supervisor, lambda: all((tmp_path / name).exists() for name in names))
    pids = supervisor.pids()
    supervisor.stop(grace_s=0.3)
    assert (tmp_path / "ends").read_text().split() == ["server", "redis"]
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())


@pytest.mark.faults
def test_a_child_dies_with_whoever_started_it(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from local import children\n"
        f"child = children.spawn(['sleep', '600'], log=Path({str(tmp_path / 'log')!r}))\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    assert children.wait_until(lambda: _is_gone(pid), within_s=60)


def _is_gone(pid: int) -> bool:
    """A zombie counts: nobody in a bare container may be there to reap it."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
