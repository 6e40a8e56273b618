"""The server's settings: read once; all mistakes are reported together, with exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gpu_worker.contract import SettingsError
from server.config import Settings, setting_names

ROOT = Path(__file__).parents[2]
GOOD = {
    "PROTEUS_SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "DATABASE_URL": "sqlite:///x.db",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "S3_BUCKET": "proteus",
}


def test_defaults_and_names() -> None:
    read = Settings.from_env(GOOD | {"PROTEUS_ENGINE": "", "UNKNOWN": "1"})
    assert (read.engine, read.photo_ttl_s, read.max_upload_bytes) == ("preview", 86_400, 10_485_760)
    assert read.engine_for("live") == read.engine_for("test") == "preview"
    assert all(name.isupper() for name in setting_names().values())


def test_live_keys_take_the_engine_and_test_keys_the_preview() -> None:
    read = Settings.from_env(GOOD | {"PROTEUS_ENGINE": "catvton"})
    assert (read.engine_for("live"), read.engine_for("test")) == ("catvton", "preview")


def test_nothing_changes_them_and_secrets_stay_out_of_their_words() -> None:
    read = Settings.from_env(GOOD | {"AWS_SECRET_ACCESS_KEY": "hush hush"})
    with pytest.raises(ValidationError):
        read.engine = "other"
    assert "hush" not in repr(read)
    assert GOOD["PROTEUS_SECRET_KEY"] not in repr(read)


def test_where_browsers_load_pictures_from() -> None:
    inside = GOOD | {"S3_ENDPOINT_URL": "http://store:9000/"}
    assert Settings.from_env(inside).store_origin == "http://store:9000"
    public = inside | {"S3_PUBLIC_URL": "https://pictures.example/bucket"}
    assert Settings.from_env(public).store_origin == "https://pictures.example"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("https://Fitting.Example:443/", "https://fitting.example"),
        ("http://LOCALHOST:80", "http://localhost"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://fitting.example:80", "https://fitting.example:80"),
    ],
)
def test_the_servers_address_is_written_as_browsers_write_origins(said: str, meant: str) -> None:
    assert Settings.from_env(GOOD | {"PROTEUS_SERVER_URL": said}).server_url == meant


WRONG: list[tuple[dict[str, str], list[str]]] = [
    ({"PROTEUS_SECRET_KEY": "short"}, ["PROTEUS_SECRET_KEY: "]),
    ({"PROTEUS_SERVER_URL": "localhost:8080"}, ["PROTEUS_SERVER_URL: must be an http"]),
    ({"PROTEUS_SERVER_URL": "http://x/y"}, ["PROTEUS_SERVER_URL: must have no path"]),
    ({"PROTEUS_SERVER_URL": "http://x:y"}, ["PROTEUS_SERVER_URL: has an invalid port"]),
    ({"S3_ENDPOINT_URL": "http://x:99999"}, ["S3_ENDPOINT_URL: has an invalid port"]),
    ({"REDIS_URL": "http://x"}, ["REDIS_URL: "]),
    ({"REDIS_URL": "redis://x:y/0"}, ["REDIS_URL: has an invalid port"]),
    ({"DATABASE_URL": "x.db"}, ["DATABASE_URL: "]),
    ({"DATABASE_URL": "mysql://x/y"}, ["DATABASE_URL: "]),
    ({"DATABASE_URL": "postgresql://x:y/z"}, ["DATABASE_URL: has an invalid port"]),
    ({"PORT": "9090"}, ["PROTEUS_INTERNAL_PORT: must differ from PORT"]),
    ({"PROTEUS_ENGINE": "../x"}, ["PROTEUS_ENGINE: "]),
    ({"PROTEUS_PHOTO_TTL_S": "soon"}, ["PROTEUS_PHOTO_TTL_S: "]),
    ({"PORT": "0"}, ["PORT: "]),
    ({"PROTEUS_LOG": "xml"}, ["PROTEUS_LOG: "]),
    ({"DATABASE_URL": "", "S3_BUCKET": ""}, ["DATABASE_URL: is not set", "S3_BUCKET: is not set"]),
]


@pytest.mark.parametrize(("change", "lines"), WRONG)
def test_every_mistake_is_one_line(change: dict[str, str], lines: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(GOOD | change)
    told = caught.value.lines
    assert len(told) == len(lines)
    assert all(line.startswith(start) for line, start in zip(told, lines, strict=True))


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "server.cli", "migrate"],
        ["-m", "gunicorn", "-c", "server/gunicorn.py", "server.wsgi:app"],
    ],
    ids=["cli", "server"],
)
def test_a_wrong_setting_ends_the_process_with_2(command: list[str]) -> None:
    env: Any = {**os.environ, **GOOD, "PORT": "x", "PROTEUS_LOG": "y"}
    ended = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == ["PORT", "PROTEUS_LOG"]
