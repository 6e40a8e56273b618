"""`python -m local`: the whole stack starts, mends itself and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from local.children import free_port, wait_until
from tests.launcher import UP_WITHIN_S, Launcher, all_gone, launched
from tests.services import S3Settings

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.process]

PARTS = ["redis", "store", "server", "steward", "arbitrator", "worker", "tailor", "fetcher", "shop"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """One stack for the tests after which it is still whole."""
    with launched(tmp_path_factory.mktemp("stack") / "home") as launcher:
        assert launcher.line() == f"proteus: ready http://127.0.0.1:{launcher.shop_port}/\n"
        yield launcher


def test_it_tells_what_runs(stack: Launcher) -> None:
    demo = stack.demo()
    assert (stack.home / "demo.json").stat().st_mode & 0o777 == 0o600
    assert demo["shop_url"] == f"http://127.0.0.1:{stack.shop_port}/"
    assert demo["server_url"] == f"http://localhost:{stack.port}"
    assert demo["publishable_key"].startswith("pk_live_")
    assert demo["secret_key"].startswith("sk_live_")
    assert {"site", "email", "password"} <= demo.keys()
    assert len(demo["garments"]) >= 6
    assert set(demo["processes"]) == set(PARTS)
    assert all(psutil.pid_exists(pid) for pid in demo["processes"].values())
    assert len(stack.everybody()) >= len(PARTS)


def test_what_it_tells_is_true(stack: Launcher) -> None:
    demo = stack.demo()
    assert httpx.get(f"{demo['server_url']}/readyz", timeout=20).json()["status"] == "ok"
    assert httpx.get(demo["shop_url"], timeout=20).status_code == 200
    bearer = {"Authorization": f"Bearer {demo['secret_key']}"}
    garments = f"{demo['server_url']}/v1/garments"

    def all_ready() -> bool:
        listed = httpx.get(garments, headers=bearer, timeout=20).json()
        return {row["status"] for row in listed["garments"]} == {"ready"}

    assert wait_until(all_ready, within_s=60, every_s=0.3)


def test_its_data_is_its_owners_alone(stack: Launcher) -> None:
    private = [path for path in stack.home.rglob("*") if path.name != "stderr"]
    assert [path for path in private if path.stat().st_mode & 0o077] == []


def test_a_second_start_in_the_same_folder_is_refused(stack: Launcher) -> None:
    with launched(stack.home) as second:
        assert second.process.wait(60) == 1
        assert f"already running here (pid {stack.process.pid})" in stack.logs()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with launched(tmp_path / "home", SHOP_PORT=str(port)) as launcher:
            assert launcher.process.wait(60) == 1
            assert f"port {port} is taken; set SHOP_PORT to a free one" in launcher.logs()


def test_every_wrong_setting_is_named(tmp_path: Path) -> None:
    with launched(tmp_path / "home", PORT="http", PROTEUS_ENGINE="../x") as launcher:
        assert launcher.process.wait(60) == 2
        assert launcher.logs().splitlines() == [
            "PORT: must be a port from 1 to 65535",
            "PROTEUS_ENGINE: String should match pattern '^[a-z][a-z0-9_-]{0,31}$'",
        ]


def test_a_setting_that_a_part_refuses_ends_the_stack(tmp_path: Path) -> None:
    with launched(tmp_path / "home", PROTEUS_LEASE_S="0") as launcher:
        assert launcher.process.wait(UP_WITHIN_S) == 2
        assert "PROTEUS_LEASE_S: " in launcher.logs()


@pytest.mark.parametrize(
    "name",
    ["worker", "tailor", "fetcher", "arbitrator", "steward", "server", "redis", "store", "shop"],
)
def test_a_killed_part_is_started_again(stack: Launcher, name: str) -> None:
    killed = stack.pid(name)
    os.kill(killed, signal.SIGKILL)
    assert wait_until(lambda: stack.pid(name) != killed, within_s=UP_WITHIN_S), stack.logs()
    ready = f"{stack.demo()['server_url']}/readyz"
    assert wait_until(lambda: _answers(ready), within_s=60)
    assert set(stack.demo()["processes"]) == set(PARTS)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.postgres
def test_services_that_the_user_names_are_used_and_ctrl_c_ends_the_rest(
    tmp_path: Path, redis_url: str, postgres_url: str, store: S3Settings
) -> None:
    own = {"REDIS_URL": redis_url, "DATABASE_URL": postgres_url, **store.env()}
    with launched(tmp_path / "home", **own) as launcher:
        assert launcher.line().startswith("proteus: ready "), launcher.logs()
        assert set(launcher.demo()["processes"]) == set(PARTS) - {"redis", "store"}
        assert not (launcher.home / "proteus.db").exists()
        assert "Contents" in store.client().list_objects_v2(Bucket=store.bucket)
        launcher.end_by(signal.SIGINT)


def test_a_lost_terminal_ends_what_has_only_begun(tmp_path: Path) -> None:
    """What is whole ends by SIGTERM wherever `launched` ends it, and by SIGINT above."""
    with launched(tmp_path / "home") as launcher:
        assert wait_until((launcher.home / "logs" / "worker.log").exists, within_s=60)
        assert launcher.everybody()
        launcher.end_by(signal.SIGHUP)


def test_a_killed_launcher_leaves_nobody_and_the_next_start_works_until_five_deaths(
    tmp_path: Path,
) -> None:
    with launched(tmp_path / "home") as launcher:
        launcher.line()
        before, everybody = launcher.demo(), launcher.everybody()
        launcher.process.kill()
        launcher.process.wait(60)
        assert wait_until(lambda: all_gone(everybody), within_s=60), everybody
    with launched(tmp_path / "home") as again:
        assert again.line().startswith("proteus: ready ")
        known = ("publishable_key", "secret_key", "email", "password", "garments")
        assert {name: again.demo()[name] for name in known} == {
            name: before[name] for name in known
        }
        _five_deaths_in_a_minute_end_it(again)


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """As under `make`, when that is killed."""
    program = (
        "import os, subprocess, sys, time\n"
        "argv = [sys.executable, '-m', 'local', '--parent', str(os.getpid())]\n"
        "print(subprocess.Popen(argv, stdout=subprocess.DEVNULL).pid, flush=True)\n"
        "time.sleep(600)"
    )
    env = {"PROTEUS_HOME": str(tmp_path), "PORT": str(free_port()), "SHOP_PORT": str(free_port())}
    argv = [sys.executable, "-c", program]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, **env}) as parent:
        assert parent.stdout
        launcher = psutil.Process(int(parent.stdout.readline()))
        assert wait_until((tmp_path / "logs" / "worker.log").exists, within_s=60)
        family = [launcher, *launcher.children(recursive=True)]
        parent.kill()
    assert wait_until(lambda: all_gone(family), within_s=60)


def test_it_does_not_start_for_somebody_who_is_gone(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "local", "--parent", str(2**22)]
    env = {**os.environ, "PROTEUS_HOME": str(tmp_path / "home")}
    assert subprocess.run(argv, env=env, timeout=20, check=False).returncode == 1
    assert not (tmp_path / "home").exists()


def _five_deaths_in_a_minute_end_it(launcher: Launcher) -> None:
    everybody = launcher.everybody()
    killed: set[int] = set()
    deadline = time.monotonic() + UP_WITHIN_S
    while launcher.process.poll() is None and time.monotonic() < deadline:
        _kill_new(launcher, killed)
    assert launcher.process.wait(60) == 1, launcher.logs()
    assert len(killed) == 5
    assert "store died 5 times in a minute; its last lines:" in launcher.logs()
    assert all_gone(everybody)


def _kill_new(launcher: Launcher, killed: set[int]) -> None:
    """Kills the store if it is another than before."""

    def is_new() -> bool:
        if launcher.process.poll() is not None:
            return True
        try:
            return launcher.pid("store") not in killed
        except (FileNotFoundError, KeyError):
            return False

    wait_until(is_new, within_s=60)
    if launcher.process.poll() is None and (launcher.home / "demo.json").exists():
        pid = launcher.pid("store")
        killed.add(pid)
        os.kill(pid, signal.SIGKILL)
