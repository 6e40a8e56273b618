"""The worker's settings: defaults; all mistakes are reported together, with exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gpu_worker.config import NullCurve, Settings
from gpu_worker.contract import Law, SettingsError, Tier
from gpu_worker.control import Terms

GOOD = {"REDIS_URL": "redis://127.0.0.1", "S3_BUCKET": "proteus"}


def test_what_is_not_said_has_a_default() -> None:
    settings = Settings.from_env(GOOD)
    assert (settings.lease_s, settings.max_upload_bytes) == (20, 10_485_760)
    assert settings.batch_size is None  # the law's to choose
    assert settings.terms == Terms()


def test_settings_are_read() -> None:
    said = {"PROTEUS_BATCH_SIZE": "8", "PROTEUS_NULL_CURVE": "3,60,50", "PROTEUS_LOG": "json"}
    settings = Settings.from_env(GOOD | said)
    assert (settings.batch_size, settings.null_curve) == (8, NullCurve(3, 60, 50))


@pytest.mark.parametrize(
    ("said", "partials"), [("", (0.4,)), ("none", ()), ("0.6,0.3", (0.3, 0.6)), ("0.5", (0.5,))]
)
def test_partial_pictures_are_taken_at_fractions(said: str, partials: tuple[float, ...]) -> None:
    assert Settings.from_env(GOOD | {"PROTEUS_PARTIALS": said}).partials == partials


def test_a_name_of_the_version_before_is_read_unless_the_new_one_is_set() -> None:
    old = GOOD | {"PROTEUS_PEEKS": "0.3"}
    assert Settings.from_env(old).partials == (0.3,)
    assert Settings.from_env(old | {"PROTEUS_PARTIALS": "0.6"}).partials == (0.6,)
    assert Settings.from_env(old | {"PROTEUS_PARTIALS": ""}).partials == (0.3,)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"PROTEUS_PEEKS": "half"}, "PROTEUS_PEEKS"),
        ({"PROTEUS_PEEKS": "half", "PROTEUS_PARTIALS": "half"}, "PROTEUS_PARTIALS"),
    ],
)
def test_a_wrong_setting_is_told_by_the_name_that_was_set(said: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        Settings.from_env(GOOD | said)
    assert [line.split(":")[0] for line in wrong.value.lines] == [named]


def test_the_laws_numbers_are_settings() -> None:
    said = {
        "PROTEUS_POLICY": "thresholds",
        "PROTEUS_TARGET_S": "7.5",
        "PROTEUS_COLD_START_S": "90",
        "PROTEUS_TIERS": "full:50:768x1024, small:20:384x512",
        "PROTEUS_BATCH_SIZE": "6",
    }
    tiers = (Tier("full", 50, 768, 1024), Tier("small", 20, 384, 512))
    assert Settings.from_env(GOOD | said).terms == Terms(
        law=Law.THRESHOLDS, target_s=7.5, cold_start_s=90, batch_size=6, tiers=tiers
    )


def test_the_arbitrator_needs_no_store() -> None:
    assert Settings.from_env({"REDIS_URL": "redis://127.0.0.1"}, required={"redis_url"}).redis_url


def test_what_is_missing_is_told_in_one_order() -> None:
    with pytest.raises(SettingsError) as wrong:
        Settings.from_env({"PROTEUS_LOG": "xml"})
    assert [line.split(":")[0] for line in wrong.value.lines] == [
        "REDIS_URL",
        "S3_BUCKET",
        "PROTEUS_LOG",
    ]


WRONG = [
    ("REDIS_URL", "http://redis"),
    ("REDIS_URL", ""),
    ("S3_BUCKET", ""),
    ("S3_ENDPOINT_URL", "s3.example"),
    ("PROTEUS_BATCH_SIZE", "0"),
    ("PROTEUS_BATCH_SIZE", "many"),
    ("PROTEUS_MAX_WAIT_MS", "501"),
    ("PROTEUS_LEASE_S", "nan"),
    ("PROTEUS_PARTIALS", "half"),
    ("PROTEUS_PARTIALS", "0.5,1"),
    ("PROTEUS_NULL_CURVE", "1,2"),
    ("PROTEUS_NULL_CURVE", "1,2,0"),
    ("PROTEUS_ALLOW_LOOPBACK_IMAGE_URLS", "yes"),
    ("PROTEUS_LOG", "xml"),
    ("PROTEUS_POLICY", "override"),
    ("PROTEUS_TARGET_S", "0"),
    ("PROTEUS_COLD_START_S", "-1"),
    ("PROTEUS_TIERS", "full"),
    ("PROTEUS_TIERS", "full:0:768x1024"),
    ("PROTEUS_TIERS", "full:50:768x1024,full:20:768x1024"),
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
