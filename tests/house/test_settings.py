"""Every setting in the code has its row in docs/operating.md, and the other way round."""

from __future__ import annotations

import re

import pytest
from pydantic_settings import BaseSettings

from gpu_worker.config import OLD_NAMES
from gpu_worker.config import Settings as WorkerSettings
from local.config import LocalSettings
from server.config import Settings
from tests.house.source import ROOMS, ROOT, sources, strings

NAME = re.compile(r"(PROTEUS|S3|AWS)_[A-Z0-9_]+|REDIS_URL|DATABASE_URL|PORT|SHOP_PORT")
ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| ([a-z, ]+) \|([^|]*)\| [^|]+ \|$", re.MULTILINE)


def _documented() -> dict[str, tuple[set[str], str]]:
    """Name of each setting: who reads it, and its default as written."""
    text = (ROOT / "docs" / "operating.md").read_text()
    rows = ROW.findall(text)
    assert len(rows) == len({name for name, _, _ in rows}), "a setting has two rows"
    return {name: (set(by.split(", ")), default.strip(" `")) for name, by, default in rows}


def _in_code() -> set[str]:
    texts = (text for path in sources(".py", *ROOMS) for text in strings(path))
    return {text for text in texts if NAME.fullmatch(text)}


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    assert set(_documented()) == _in_code() - set(OLD_NAMES)
    text = (ROOT / "docs" / "operating.md").read_text()
    assert [old for old in OLD_NAMES if f"was `{old}`" not in text] == []


def _defaults(settings: type[BaseSettings]) -> dict[str, str]:
    """Name of each setting: its default as the documentation writes it."""
    return {
        str(field.validation_alias): "required" if field.is_required() else _written(field.default)
        for field in settings.model_fields.values()
    }


def _written(default: object) -> str:
    return "" if default is None else str(default)


def test_the_server_reads_what_its_rows_say() -> None:
    said = {name: default for name, (by, default) in _documented().items() if "server" in by}
    assert said == _defaults(Settings)


def test_the_worker_reads_what_its_rows_say() -> None:
    documented = _documented()
    named = {name for name, (by, _) in documented.items() if "worker" in by}
    assert named == set(_defaults(WorkerSettings))
    for field in WorkerSettings.model_fields.values():
        readers, said = documented[str(field.validation_alias)]
        if readers == {"worker"} and said:
            read = WorkerSettings.from_env({str(field.validation_alias): said}, required=())
            name = next(n for n, f in WorkerSettings.model_fields.items() if f is field)
            assert getattr(read, name) == field.default, name


def test_the_local_stack_reads_what_its_rows_say() -> None:
    documented = _documented()
    named = {name for name, (by, _) in documented.items() if "local" in by}
    assert named == set(_defaults(LocalSettings))
    defaults = LocalSettings()
    assert documented["SHOP_PORT"][1] == str(defaults.shop_port)
    assert documented["PROTEUS_HOME"][1] == defaults.home.name


AnySettings = type[Settings] | type[WorkerSettings] | type[LocalSettings]


@pytest.mark.parametrize("settings", [Settings, WorkerSettings, LocalSettings])
def test_only_documented_names_are_read(settings: AnySettings) -> None:
    """Not a field's own name, such as `port`, which may stand in any environment."""
    needed = {
        "PROTEUS_SECRET_KEY": "x" * 32, "DATABASE_URL": "sqlite://", "REDIS_URL": "redis://x",
        "S3_BUCKET": "proteus",
    }  # fmt: skip
    stray = dict.fromkeys(settings.model_fields, "7")
    assert settings.from_env(needed | stray) == settings.from_env(needed)
