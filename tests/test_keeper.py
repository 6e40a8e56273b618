"""A shared service: one for all processes of a run, stopped with the last, however that ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests import keeper, services
from tests.waiting import wait_for

# Uses the service until it is killed or told to go on.
_USER = """
import sys
from pathlib import Path
from tests import keeper
with keeper.shared("redis", Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.readline()
"""


def user(folder: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", _USER, str(folder)]
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True)


def url_of(user: subprocess.Popen[str]) -> str:
    assert user.stdout
    return user.stdout.readline().strip()


def answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def test_two_share_one_and_the_last_takes_it_away(tmp_path: Path) -> None:
    with user(tmp_path) as first, user(tmp_path) as second:
        url = url_of(first)
        assert url_of(second) == url
        first.communicate("done\n")
        assert answers(url)
        second.send_signal(signal.SIGKILL)
        second.wait()
        wait_for(lambda: not answers(url))


def test_after_the_last_the_next_begins_anew(tmp_path: Path) -> None:
    with keeper.shared("redis", tmp_path) as first:
        assert answers(first)
    wait_for(lambda: not answers(first))
    with keeper.shared("redis", tmp_path) as second:
        assert answers(second)


def test_a_missing_program_is_told_to_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    for _ in range(2):
        with (
            pytest.raises(services.MissingProgramError, match="ceph-mon"),
            keeper.shared("radosgw", tmp_path),
        ):
            pytest.fail("there is no Ceph")
