"""Rate limits: fixed windows in Redis, or in memory while Redis is away, so that no request fails.

Counts by `g.caller` and by address. Of nouns it knows only the names of their budgets.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

from flask import Flask, g, request
from flask_limiter import Limiter
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from gpu_worker.contract import lua
from server.auth.network import network_of
from server.config import Settings
from server.infra.errors import Code, Problem
from server.infra.jobs import TIMEOUT_S
from server.infra.services import current_services

P = ParamSpec("P")
R = TypeVar("R")
Budget = Literal["uploads", "photos", "try-ons"]
WINDOW_S = 60
_COUNT_AT_SITE = lua(Path(__file__).with_name("lua"), "count_at_site")


def network() -> str:
    """The network of the request's address: one IPv4 address, or one /64 of IPv6."""
    return network_of(request.remote_addr)


def who() -> str:
    """The key to count by: the caller, or the network if nobody is authenticated."""
    caller = g.get("caller")
    return caller.owner if caller is not None else _address()


def _address() -> str:
    return f"at {network()}"


def _is_no_shopper() -> bool:
    """Whether limits by address do not apply: a merchant's backend sends all from one address."""
    return bool(g.caller.kind != "shopper")


def _per_minute() -> str:
    return f"{current_services().settings.rate_limit} per minute"


def _fewer_per_minute() -> str:
    return f"{max(5, current_services().settings.rate_limit // 5)} per minute"


def _of_caller() -> str:
    if _is_no_shopper():
        return _fewer_per_minute()
    return f"{current_services().settings.shopper_limit} per minute"


def _of_address() -> str:
    return f"{current_services().settings.address_limit} per minute"


def _boots() -> str:
    return f"{current_services().settings.boot_limit} per minute"


def _refuse_beyond_site(budget: Budget) -> None:
    """Budget of a site per minute, shared fairly by its addresses. Once it is spent, an address
    with less than an equal part (limit / addresses) is still admitted: else a few addresses could
    use up the budget of the whole shop.

    Raises:
        Problem: rate_limited.
    """
    services = current_services()
    key = f"proteus:site-budget:{g.caller.site_id}:{budget}"
    address = "backend" if _is_no_shopper() else network()
    try:
        counted: list[int] = services.redis.eval(_COUNT_AT_SITE, 1, key, address, WINDOW_S)
    except RedisError:
        return  # shoppers and addresses are then still counted, in memory
    everybody, mine, addresses, left_s = counted
    most = services.settings.site_limit
    if everybody > most and mine * addresses > most:
        raise Problem(Code.RATE_LIMITED, retry_after_s=left_s)


limiter = Limiter(who, strategy="fixed-window", in_memory_fallback_enabled=True)


def init_app(app: Flask, settings: Settings) -> None:
    app.config["RATELIMIT_STORAGE_URI"] = settings.redis_url
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),  # no retry: limits then count in memory at once
    }
    limiter.init_app(app)


def limited(view: Callable[P, R]) -> Callable[P, R]:
    """One budget per minute for all requests of a caller. `auth.allow` applies it."""
    rated: Callable[P, R] = limiter.shared_limit(_per_minute, scope="all")(view)
    return rated


def limited_strictly(view: Callable[P, R]) -> Callable[P, R]:
    """A fifth of that budget, at least 5, for a view that makes a row or a file."""
    rated: Callable[P, R] = limiter.limit(_fewer_per_minute)(view)
    return rated


def limited_by_address(view: Callable[P, R]) -> Callable[P, R]:
    """Limit by address for views that make shoppers: each new shopper is a new caller with a budget
    of her own."""
    rated: Callable[P, R] = limiter.limit(_boots, key_func=_address)(view)
    return rated


def budgeted(budget: Budget) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Budgets per minute for what costs a job, shared by all views of a noun: of the caller, of the
    address (shoppers only), of the site, checked in this order. A request that one budget refuses
    does not count against the next: what a shopper is refused costs neither her address nor her
    site anything.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def within_site(*args: P.args, **kwargs: P.kwargs) -> R:
            _refuse_beyond_site(budget)
            return view(*args, **kwargs)

        by_caller = limiter.shared_limit(_of_caller, scope=budget)
        by_address = limiter.shared_limit(
            _of_address, scope=budget, key_func=_address, exempt_when=_is_no_shopper
        )
        # Flask-Limiter checks the innermost decorator's limit first and stops at the first breach.
        rated: Callable[P, R] = by_address(by_caller(within_site))
        return rated

    return decorate


def retry_after_s() -> float:
    """When the limit that was just hit opens again."""
    current = limiter.current_limit
    return max(1.0, current.reset_at - time.time()) if current else 60.0
