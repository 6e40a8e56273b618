"""Fetching through the hub's own client, in processes of its own: the client reads its settings
once, at import, as an operator's command does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_worker.weights.sources import SOURCES, Kind
from tests.gpu_worker.engines.catvton import hub as stand_in
from tests.gpu_worker.engines.catvton.hub import COMMIT, Hub

REPOSITORIES = [source.repository for source in SOURCES[Kind.MASKFREE].all()]


@pytest.fixture
def hub(tiny_weights: Path) -> Iterator[Hub]:
    with stand_in.running(tiny_weights) as hub:
        yield hub


class Operator:
    def __init__(self, hub: Hub, home: Path):
        self.lock = home / "weights.lock.json"
        self._env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("HF_", "PROTEUS_"))},
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(home / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "PROTEUS_WEIGHTS_LOCK": str(self.lock),
        }

    def weights(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gpu_worker", "weights", *words]
        return subprocess.run(
            command,
            check=False,
            env={**self._env, **env},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )


@pytest.fixture
def operator(hub: Hub, tmp_path: Path) -> Operator:
    return Operator(hub, tmp_path)


def test_fetch_records_and_check_agrees(operator: Operator, hub: Hub) -> None:
    fetched = operator.weights("fetch", "maskfree", "--agree")
    assert fetched.returncode == 0, fetched.stderr
    assert "not for commercial use" in fetched.stdout
    locked = json.loads(operator.lock.read_text())
    assert sorted(locked) == sorted(REPOSITORIES)
    assert {entry["revision"] for entry in locked.values()} == {COMMIT}
    assert operator.weights("check", "maskfree").returncode == 0
    where = operator.weights("where", "maskfree", HF_HUB_OFFLINE="1")
    assert where.returncode == 0, where.stderr
    assert all(name in where.stdout for name in REPOSITORIES)


def test_nothing_is_fetched_without_agreement(operator: Operator, hub: Hub) -> None:
    refused = operator.weights("fetch", "maskfree")
    assert refused.returncode == 1
    assert "licence was not agreed to" in refused.stderr
    assert hub.requests == 0
    assert not operator.lock.exists()


def test_a_broken_download_is_resumed(operator: Operator, hub: Hub) -> None:
    hub.break_off_after = 11_000_000  # of the U-Net's 13; the client writes 10 MiB at a time
    fetched = operator.weights("fetch", "maskfree", "--agree")
    assert fetched.returncode == 0, fetched.stderr
    assert hub.ranges == ["bytes=10485760-"]
    assert operator.weights("check", "maskfree").returncode == 0


def test_check_finds_a_changed_file(operator: Operator, hub: Hub) -> None:
    operator.weights("fetch", "maskfree", "--agree")
    name = REPOSITORIES[1]
    locked = json.loads(operator.lock.read_text())
    locked[name]["files"]["config.json"]["sha256"] = "0" * 64
    operator.lock.write_text(json.dumps(locked))
    checked = operator.weights("check", "maskfree")
    assert checked.returncode == 1
    assert f"{name}/config.json: not the file that was fetched first" in checked.stdout
    assert operator.weights("fetch", "maskfree", "--agree").returncode == 1


def test_offline_says_what_is_missing(operator: Operator) -> None:
    refused = operator.weights("fetch", "maskfree", "--agree", HF_HUB_OFFLINE="1")
    assert refused.returncode == 1
    assert "is not here and the hub is out of reach" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_gated_repository_says_what_to_do(operator: Operator, hub: Hub) -> None:
    hub.gated.add(REPOSITORIES[2])
    refused = operator.weights("fetch", "maskfree", "--agree")
    assert refused.returncode == 1
    assert "is gated: agree to its terms on its page, then set HF_TOKEN" in refused.stderr


def test_a_missing_file_is_named(operator: Operator, hub: Hub) -> None:
    hub.folder = hub.folder / "nowhere"
    refused = operator.weights("fetch", "maskfree", "--agree")
    assert refused.returncode == 1
    assert f"{REPOSITORIES[0]}/unet/config.json" in refused.stderr
