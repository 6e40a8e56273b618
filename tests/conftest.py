"""Fixtures every room shares: real services, each test with its own clean corner of them.

A service starts when the first test asks for it. Where its program is missing, its tests are
skipped with the package's name; with CI=true they fail.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import psycopg
import pytest
import redis
from argon2 import PasswordHasher
from hypothesis import settings
from playwright.sync_api import Browser, expect, sync_playwright

from server.infra import credentials, migrate
from server.infra.db import Database
from tests import services
from tests.faults.lines import Lines
from tests.services import S3Settings
from tests.waiting import DEADLINE_S

T = TypeVar("T")
Service = Callable[[Path], AbstractContextManager[T]]
Launch = Callable[..., Browser]


def pytest_configure(config: pytest.Config) -> None:
    expect.set_options(timeout=DEADLINE_S * 1000)
    # Argon2 at its real price, three people in each test's world, took half of a test's setup.
    credentials._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    # Hypothesis fails what takes more than 200 ms; that tells of the machine.
    settings.register_profile("patient", settings.default, deadline=None)
    settings.load_profile("patient")
    config.pluginmanager.register(Lines(config.rootpath))


@contextmanager
def _service(start: Service[T], factory: pytest.TempPathFactory) -> Iterator[T]:
    try:
        with start(factory.mktemp(start.__name__)) as service:
            yield service
    except services.MissingProgramError as missing:
        do_without(str(missing))


def do_without(missing: str) -> NoReturn:
    """Skips for what this machine lacks; where nothing may be lacking, fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


# --- Redis ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def redis_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with _service(services.redis_server, tmp_path_factory) as url:
        yield url


@pytest.fixture
def redis_url(redis_service: str) -> str:
    """The URL of an empty Redis."""
    with redis.Redis.from_url(redis_service) as client:
        client.flushall()
    return redis_service


# --- object stores -------------------------------------------------------------------------------


def _own_bucket(s3: S3Settings) -> S3Settings:
    own = replace(s3, bucket=f"test-{uuid.uuid4().hex[:20]}")
    own.client().create_bucket(Bucket=own.bucket)
    return own


@pytest.fixture(scope="session")
def rclone_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Settings]:
    with _service(services.rclone_store, tmp_path_factory) as s3:
        yield s3


@pytest.fixture(scope="session")
def radosgw_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Settings]:
    with _service(services.radosgw, tmp_path_factory) as s3:
        yield s3


@pytest.fixture
def store(rclone_service: S3Settings) -> S3Settings:
    """An empty bucket in the local store."""
    return _own_bucket(rclone_service)


@pytest.fixture(params=["rclone", "radosgw"])
def any_store(request: pytest.FixtureRequest) -> S3Settings:
    """An empty bucket in the local store, and then in Ceph."""
    return _own_bucket(request.getfixturevalue(f"{request.param}_service"))


# --- databases -----------------------------------------------------------------------------------


def _make_tables(url: str) -> None:
    database = Database(url)
    migrate.to_head(database)
    database.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _make_tables(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`postgresql+psycopg://…:port` of a server with a `template` that has the tables."""
    with _service(services.postgres_server, tmp_path_factory) as server:
        url = server.replace("postgresql:", "postgresql+psycopg:")
        _create_database(url, "template", like="template1")
        _make_tables(f"{url}/template")
        yield url


def _create_database(server: str, name: str, like: str) -> None:
    dsn = server.replace("+psycopg", "") + "/postgres"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{like}"'.encode())


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh SQLite database with all tables and no rows."""
    shutil.copy(sqlite_template, tmp_path / "proteus.db")
    return f"sqlite:///{tmp_path / 'proteus.db'}"


@pytest.fixture
def postgres_url(postgres_service: str) -> str:
    """A fresh PostgreSQL database with all tables and no rows."""
    name = f"test_{uuid.uuid4().hex}"
    _create_database(postgres_service, name, like="template")
    return f"{postgres_service}/{name}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database with all tables and no rows: SQLite, and then PostgreSQL."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database without any table, for the migrations' own tests."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server, name = request.getfixturevalue("postgres_service"), f"test_{uuid.uuid4().hex}"
    _create_database(server, name, like="template1")
    return f"{server}/{name}"


# --- Chromium ------------------------------------------------------------------------------------

CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@cache
def chromium_program() -> str:
    try:
        return services.chromium_program()
    except services.MissingProgramError as missing:
        do_without(str(missing))


@pytest.fixture(scope="session")
def launch() -> Iterator[Launch]:
    """Starts the machine's Chromium, with more flags where a test wants them.

    One for all rooms: a process can run one Playwright.
    """
    with sync_playwright() as playwright:

        def start(*flags: str, **options: Any) -> Browser:
            return playwright.chromium.launch(
                executable_path=chromium_program(), args=[*CHROMIUM_FLAGS, *flags], **options
            )

        yield start


@pytest.fixture(scope="session")
def browser(launch: Launch) -> Iterator[Browser]:
    made = launch()
    yield made
    made.close()
