"""The worker's settings: defaults, all mistakes at once, exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields

import pytest

from gpu_worker.config import READERS, NullCurve, Settings, SettingsError

GOOD = {"REDIS_URL": "redis://127.0.0.1", "S3_BUCKET": "proteus"}


def test_what_is_not_said_has_a_default() -> None:
    settings = Settings.from_env(GOOD)
    assert (settings.batch_size, settings.lease_s, settings.max_upload_bytes) == (4, 20, 10_485_760)


def test_every_setting_can_be_read() -> None:
    assert set(READERS) == {field.name for field in fields(Settings)}


def test_settings_are_read() -> None:
    said = {"PROTEUS_BATCH_SIZE": "8", "PROTEUS_NULL_CURVE": "3,60,50", "PROTEUS_LOG": "json"}
    settings = Settings.from_env(GOOD | said)
    assert (settings.batch_size, settings.null_curve) == (8, NullCurve(3, 60, 50))


WRONG = [
    ("REDIS_URL", "http://redis"),
    ("REDIS_URL", ""),
    ("S3_BUCKET", ""),
    ("S3_ENDPOINT_URL", "s3.example"),
    ("PROTEUS_BATCH_SIZE", "0"),
    ("PROTEUS_BATCH_SIZE", "many"),
    ("PROTEUS_MAX_WAIT_MS", "501"),
    ("PROTEUS_LEASE_S", "nan"),
    ("PROTEUS_NULL_CURVE", "1,2"),
    ("PROTEUS_NULL_CURVE", "1,2,0"),
    ("PROTEUS_ALLOW_LOOPBACK_IMAGE_URLS", "yes"),
    ("PROTEUS_LOG", "xml"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        Settings.from_env(GOOD | {name: value})
    (line,) = wrong.value.lines
    assert line.startswith(f"{name}: ")


def test_a_refusal_repeats_no_password() -> None:
    with pytest.raises(SettingsError) as wrong:
        Settings.from_env(GOOD | {"REDIS_URL": "http://sam:hunter2@redis"})
    assert "hunter2" not in str(wrong.value)


def test_the_worker_ends_with_2_and_a_line_for_each_mistake() -> None:
    env = {**os.environ, **GOOD, "PROTEUS_BATCH_SIZE": "0", "PROTEUS_LOG": "xml"}
    argv = [sys.executable, "-m", "gpu_worker", "work", "null"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [
        "PROTEUS_BATCH_SIZE",
        "PROTEUS_LOG",
    ]
