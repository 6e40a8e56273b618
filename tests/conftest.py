"""Fixtures for all tests: real Redis, stores, databases and Chromium, an empty part for each test.

A service starts when the first test asks for it. Where its program is missing, its tests are
skipped with the package's name; with CI=true they fail.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import httpx
import pytest
import redis
from argon2 import PasswordHasher
from httpx._transports import default as _transports
from hypothesis import settings
from playwright.sync_api import Browser, expect, sync_playwright

from server.infra import credentials
from tests import databases, keeper, marks, services
from tests.faults.lines import Lines
from tests.services import S3Settings
from tests.waiting import DEADLINE_S

T = TypeVar("T")
Service = Callable[[Path], AbstractContextManager[T]]
Launch = Callable[..., Browser]


# No deadline: Hypothesis's own, 200 ms, fails on slow machines, not on slow code.
FAST = "fast"
settings.register_profile("ci", settings.default, deadline=None)
settings.register_profile(FAST, settings.default, deadline=None, max_examples=25)
settings.load_profile("ci")  # --hypothesis-profile names another


def pytest_configure(config: pytest.Config) -> None:
    expect.set_options(timeout=DEADLINE_S * 1000)
    # Argon2 at its real cost, for the three users of each world, took half of a test's setup.
    credentials._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    # Reading all CA certificates takes 20 ms for each request; tests only call this machine.
    _transports.create_ssl_context = cache(httpx.create_ssl_context)  # type: ignore[attr-defined]
    config.pluginmanager.register(Lines(config.rootpath))


# --- marks ---------------------------------------------------------------------------------------


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skips files that import torch where `-m` takes none of their tests: the import is slow."""
    return (collection_path in marks.TORCH and marks.leaves_out(config, "torch")) or None


# First: pytest's own `-m` selects in this hook too, and needs the marks.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    most = settings.default.max_examples if settings.default else 0
    for item in items:
        marks.mark(item)
        if settings.get_current_profile_name() == FAST:
            _cap_examples(item, most)


def _cap_examples(item: pytest.Item, most: int) -> None:
    """Caps Hypothesis's examples, also where a test states its own number."""
    test = getattr(item, "obj", None)
    own = getattr(test, "_hypothesis_internal_use_settings", None)
    if own is not None and own.max_examples > most:
        test._hypothesis_internal_use_settings = settings(own, max_examples=most)  # type: ignore[union-attr]


def pytest_runtest_setup(item: pytest.Item) -> None:
    marks.begin(item)


# --- services ------------------------------------------------------------------------------------


@contextmanager
def _service(start: Service[T], factory: pytest.TempPathFactory) -> Iterator[T]:
    """A service started by this test process for itself."""
    with _or_without(), start(factory.mktemp(start.__name__)) as service:
        yield service


@contextmanager
def _or_without() -> Iterator[None]:
    """Skips (in CI: fails) where a program is missing."""
    try:
        yield
    except services.MissingProgramError as missing:
        do_without(str(missing))


def do_without(missing: str) -> NoReturn:
    """Skips for what this machine lacks; fails in CI, where nothing may be missing."""
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
    with _or_without(), keeper.shared("radosgw", keeper.folder_of_run(tmp_path_factory)) as s3:
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


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    databases.make_tables(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`postgresql+psycopg://…:port` of a server with a template that has the tables."""
    run = keeper.folder_of_run(tmp_path_factory)
    with _or_without(), keeper.shared("postgres", run) as server:
        url = server.replace("postgresql:", "postgresql+psycopg:")
        with keeper.exclusively(run):
            if not databases.exists(url, databases.TABLES):
                databases.create(url, databases.TABLES, like=databases.EMPTY)
                databases.make_tables(f"{url}/{databases.TABLES}")
        yield url


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh SQLite database with all tables and no rows."""
    return databases.copied(sqlite_template, tmp_path / "proteus.db")


@pytest.fixture
def postgres_url(postgres_service: str) -> Iterator[str]:
    """A fresh PostgreSQL database with all tables and no rows."""
    with databases.postgres_database(postgres_service, like=databases.TABLES) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database with all tables and no rows: SQLite, and then PostgreSQL."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database without any table, for the migrations' own tests."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server = request.getfixturevalue("postgres_service")
    with databases.postgres_database(server, like=databases.EMPTY) as url:
        yield url


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
    """A function that starts the machine's Chromium, with extra flags.

    One for all tests, as a process can run only one Playwright.
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
