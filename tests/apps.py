"""One app for each settings and one S3 client for each store, made once a process.

An app or two S3 clients cost more than most tests; a test's own database, Redis connections and
bucket next to nothing. So those are new for every test, and the app serves with them from then on.
Knows no person and no noun.
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
    """A test's own, but for the S3 clients."""
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
    """Without what differs from test to test. Nothing keeps those two: services are asked."""
    return settings.model_copy(update={"database_url": "sqlite://", "s3_bucket": "a-tests-own"})


def app_over(services: Services) -> APIFlask:
    """The process's app with these settings, as fresh as a new one.

    One test at a time: the app of a test before serves with these services too. A test that
    changes the app itself makes its own with `create_app`.
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
    """The limiter is one for all apps: it counts where the newest says, from zero."""
    limits.init_app(app, settings)
    limits.limiter._storage_dead = False
