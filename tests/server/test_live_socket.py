"""The live socket as clients meet it: gunicorn with gevent workers, real Redis and rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket

from gpu_worker.contract import GarmentStatus, PhotoStatus, TryOnStatus
from tests.services import S3Settings
from tests.stage import Ear, Stage, stage, wait_for


@pytest.fixture
def house(redis_url: str, sqlite_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Stage]:
    with stage(redis_url, sqlite_url, store, tmp_path) as made:
        made.serve()
        yield made


def test_sam_sees_her_picture_come(house: Stage) -> None:
    row = house.try_on(position=2, eta_s=9.0)
    ear = house.listen(house.sam)

    queued = ear.until("try_on.queued", row)
    assert (queued["position"], queued["eta_s"]) == (2, 9.0)
    house.change(row, status=TryOnStatus.RUNNING, step=1, steps=4)
    running = ear.until("try_on.running", row)
    assert (running["step"], running["steps"]) == (1, 4)
    house.change(row, status=TryOnStatus.SUCCEEDED, result_key=f"pictures/{row.id}.jpg")
    done = ear.until("try_on.succeeded", row)
    assert done["result_url"].startswith("http")
    assert done["version"] > running["version"] > queued["version"]
