"""What the local stack is made of, and its folder. Nothing is started here."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpu_worker.contract import SettingsError
from local.config import LocalSettings
from local.home import AlreadyRunningError, Home, Secrets
from local.parts import Ports, Stack, all_parts, environment, workers

CLOUD = {"AWS_ACCESS_KEY_ID": "AKIACLOUD", "AWS_SECRET_ACCESS_KEY": "of a cloud"}


def stack_of(home: Path, **env: str) -> Stack:
    settings = LocalSettings.from_env({"PROTEUS_HOME": str(home), **env})
    return Stack(settings, Home(home), Secrets.fresh(), Ports(redis=1, store=2, internal=3))


def test_a_newcomer_gets_everything(tmp_path: Path) -> None:
    names = [part.name for part in all_parts(stack_of(tmp_path), {})]
    assert sorted(names) == sorted(
        [
            *("redis", "store", "migrate", "seed", "server", "steward", "shop"),
            *("arbitrator", "worker", "tailor", "fetcher"),
        ]
    )


def test_a_service_that_the_user_names_is_not_started(tmp_path: Path) -> None:
    own = {"REDIS_URL": "redis://hers", "S3_ENDPOINT_URL": "https://hers", **CLOUD}
    stack = stack_of(tmp_path, **own)
    assert not {"redis", "store"} & {part.name for part in all_parts(stack, own)}
    env = environment(stack, own)
    assert {name: env[name] for name in own} == own


def test_credentials_of_a_cloud_never_meet_the_local_store(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, **CLOUD)
    env = environment(stack, CLOUD)
    assert env["AWS_ACCESS_KEY_ID"] == stack.secrets.access_key_id
    assert env["S3_ENDPOINT_URL"] == "http://127.0.0.1:2"


def test_what_the_user_sets_stays_and_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    given = {"PROTEUS_LOG": "json", "PROTEUS_SECRET_KEY": "hers", "DATABASE_URL": ""}
    env = environment(stack_of(tmp_path, **given), given)
    assert env["PROTEUS_LOG"] == "json"
    assert env["PROTEUS_SECRET_KEY"] == "hers"
    assert env["DATABASE_URL"] == f"sqlite:///{tmp_path / 'proteus.db'}"


BESIDE = {"tailor": "tailor", "fetcher": "fetcher"}


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        ("preview", {"worker": "preview", **BESIDE}),
        ("null", {"worker": "null", **BESIDE, "worker-preview": "preview"}),
    ],
)
def test_test_keys_always_find_the_preview(engine: str, expected: dict[str, str]) -> None:
    assert workers(engine) == expected


def test_no_secret_is_on_a_command_line(tmp_path: Path) -> None:
    stack = stack_of(tmp_path)
    words = [word for part in all_parts(stack, {}) for word in part.argv]
    for secret in (stack.secrets.secret_key, stack.secrets.secret_access_key):
        assert not any(secret in word for word in words)


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({"PORT": "0"}, "PORT: Input should be greater than or equal to 1"),
        ({"PORT": "65536"}, "PORT: Input should be less than or equal to 65535"),
        ({"SHOP_PORT": "８０８１"}, "SHOP_PORT: must be a port from 1 to 65535"),
        ({"PORT": "8081"}, "SHOP_PORT: must differ from PORT, both are 8081"),
        ({"PROTEUS_ENGINE": "Two words"}, "PROTEUS_ENGINE: String should match pattern"),
    ],
)
def test_a_wrong_setting_is_refused(env: dict[str, str], line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        LocalSettings.from_env(env)
    (told,) = caught.value.lines
    assert told.startswith(line)


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.secrets() == home.secrets()
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_folder_has_one_stack(tmp_path: Path) -> None:
    with Home(tmp_path).locked(), pytest.raises(AlreadyRunningError), Home(tmp_path).locked():
        pass
    with Home(tmp_path).locked():
        pass


def test_each_start_begins_new_logs_and_keeps_one_generation(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for generation in ("first", "second", "third"):
        home.put_logs_aside()
        home.log("worker").write_text(generation)
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == [
        "worker.log",
        "worker.log.1",
    ]
    assert home.last_lines("worker") == ["third"]
    assert home.last_lines("nobody") == []
