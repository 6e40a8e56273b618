"""Flask apps and S3 clients shared by all tests of a process: one per settings, one per store.

They take longer to make than most tests run. A database, Redis connections and a bucket are cheap:
each test has new ones, which are put into the shared app. Knows no person and no noun.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from apiflask import APIFlask

from server.app import create_app
from server.auth import limits
from server.config import Settings
from server.infra import jobs as jobs_module
from server.infra.db import Database
from server.infra.jobs import Jobs
from server.infra.services import EXTENSION, Services
from server.infra.store import Store, connect
from server.web import live

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_apps: dict[Settings, APIFlask] = {}
_NOWHERE = Settings.from_env(
    {
        "PROTEUS_SECRET_KEY": "x" * 32,
        "REDIS_URL": "redis://unused",
        "DATABASE_URL": "sqlite://",
        "S3_BUCKET": "unused",
    }
)
_STORE = (
    "s3_endpoint_url",
    "s3_public_url",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_default_region",
)


def services_of(settings: Settings) -> Services:
    """Services of one test; only the S3 clients are shared."""
    redis, database = jobs_module.connect(settings.redis_url), Database(settings.database_url)
    return Services(settings, database, redis, store_of(settings), Jobs(redis))


def store_of(settings: Settings) -> Store:
    known = {name: getattr(settings, name) for name in _STORE}
    return Store(settings.s3_bucket, *_clients(_NOWHERE.model_copy(update=known)))


@cache
def _clients(settings: Settings) -> tuple[S3Client, S3Client]:
    public = settings.s3_public_url or settings.s3_endpoint_url
    return connect(settings, settings.s3_endpoint_url), connect(settings, public)


def _shared(settings: Settings) -> Settings:
    """The settings by which an app is shared: without a test's own database and bucket, which code
    takes from the services, never from the app's settings."""
    return settings.model_copy(update={"database_url": "sqlite://", "s3_bucket": "a-tests-own"})


def app_over(services: Services) -> APIFlask:
    """The process's app for these settings, with these services and no spent limit.

    For one test at a time, as an earlier test's app may be the same object. A test that changes the
    app itself makes its own with `create_app`.
    """
    key = _shared(services.settings)
    if key not in _apps:
        _apps[key] = create_app(services.settings, services)
    app = _apps[key]
    app.extensions[EXTENSION] = services
    app.extensions[live.EXTENSION] = live.Live.over(services, app)
    forget_limits(app, services.settings)
    return app


def forget_limits(app: APIFlask, settings: Settings) -> None:
    """Resets the rate limiter, which all apps share: it counts in the newest app's Redis."""
    limits.init_app(app, settings)
    limits.limiter._storage_dead = False
