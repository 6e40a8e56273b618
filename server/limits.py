"""Rate limits, counted in Redis; in memory while Redis is away, so that a limit never is an error.

Knows who calls by `g.caller` (or the address, before anybody has proved anything), and no noun.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Flask, g, request
from flask_limiter import Limiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from server.config import Settings
from server.jobs import TIMEOUT_S
from server.services import current_services

View = TypeVar("View", bound=Callable[..., Any])


def who() -> str:
    """The caller, or where the request comes from."""
    caller = g.get("caller")
    return caller.owner if caller is not None else f"at {request.remote_addr}"


def _per_minute() -> str:
    return f"{current_services().settings.rate_limit} per minute"


def _fewer_per_minute() -> str:
    return f"{max(5, current_services().settings.rate_limit // 5)} per minute"


limiter = Limiter(who, strategy="fixed-window", in_memory_fallback_enabled=True)


def init_app(app: Flask, settings: Settings) -> None:
    app.config["RATELIMIT_STORAGE_URI"] = settings.redis_url
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),  # the limit then counts in memory; nobody waits for it
    }
    limiter.init_app(app)


def limited(view: View) -> View:
    """One budget a minute for everything that a caller does. `auth.allow` applies it."""
    return cast(View, limiter.shared_limit(_per_minute, scope="all")(view))


def limited_strictly(view: View) -> View:
    """A fifth of that for what costs a job, a row or a file."""
    return cast(View, limiter.limit(_fewer_per_minute)(view))


def retry_after_s() -> float:
    """When the limit that was just hit opens again."""
    current = limiter.current_limit
    return max(1.0, current.reset_at - time.time()) if current else 60.0
