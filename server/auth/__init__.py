"""Authentication: bearer tokens, secret keys, single-use tokens, origins, the resume cookie.

Every view declares its kinds of caller with `@allow(...)`, which sets them on the view as
`callers`; a test checks that none is missing. Authorisation is in `infra/caller` (`owned`).
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Literal, TypeVar

import jwt
from flask import Response, g, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.auth import limits
from server.auth.network import mark
from server.domain import shoppers
from server.infra.caller import Caller, CallerKind
from server.infra.credentials import hash_token
from server.infra.errors import Code, Problem
from server.infra.redis import take
from server.infra.services import Services, current_services
from server.models import SecretKey, Shopper, Site

BOOT_TOKEN_S = 120
SHOPPER_TOKEN_S = 900
LIVE_TICKET_S = 30
RESUME_COOKIE = "proteus_resume"
RESUME_COOKIE_S = 86_400
RESUME_PATH = "/v1/shopper-tokens"

ISSUER = "proteus"
AUDIENCE = "proteus:shopper"
ALGORITHM = "HS256"

ANYONE = "anyone"
R = TypeVar("R")

__all__ = ["Caller", "allow", "current_caller"]


# --- decorators ----------------------------------------------------------------------------------


def allow(
    *kinds: CallerKind | Literal["anyone"],
    role: Literal["owner"] | None = None,
    limited: bool = True,
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Declares and checks who may call a view, and passes the caller as keyword `caller`.

    `shopper` and `secret` authenticate by `Authorization: Bearer`, `user` by the dashboard's login.
    `anyone` and `embed` are only declared: no `caller` is passed, and a view for `embed` itself
    checks key and Origin. `limited`: apply the caller's general rate limit.

    The decorated view raises `Problem` not_authenticated, bad_token or bad_key, or not_allowed for
    another kind or role.
    """

    def decorate(view: Callable[..., R]) -> Callable[..., R]:
        rated = limits.limited(view) if limited else view

        @wraps(view)
        def checked(*args: object, **kwargs: object) -> R:
            if ANYONE not in kinds and "embed" not in kinds:
                kwargs["caller"] = g.caller = _authenticate(kinds, role)
            return rated(*args, **kwargs)

        checked.callers = kinds  # type: ignore[attr-defined]
        return checked

    return decorate


def asked_from(services: Services, caller: Caller) -> str | None:
    """The address mark of a shopper's request, by which queues are counted and shared. None for a
    merchant's backend, whose shoppers all come from one address."""
    return address_mark(services) if caller.kind == "shopper" else None


def address_mark(services: Services) -> str:
    """Keyed hash of the request's network, a pseudonym: the address itself must not be stored."""
    return mark(signing_key(services, "asked from"), limits.network())


def current_caller() -> Caller | None:
    """The caller of this request, once `allow` has authenticated it."""
    caller: Caller | None = g.get("caller")
    return caller


def _authenticate(kinds: tuple[str, ...], role: str | None) -> Caller:
    caller = _bearer() if {"shopper", "secret"} & set(kinds) else None
    if caller is None and "user" in kinds:
        caller = _logged_in()
    if caller is None:
        raise Problem(Code.NOT_AUTHENTICATED, headers={"WWW-Authenticate": "Bearer"})
    if caller.kind not in kinds or (role is not None and caller.role != role):
        raise Problem(Code.NOT_ALLOWED)
    return caller


def _bearer() -> Caller | None:
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credential:
        return None
    services = current_services()
    if credential.startswith("sk_"):
        return secret_caller(services, credential)
    return shopper_caller(services, credential)


def _logged_in() -> Caller | None:
    from flask_login import current_user  # noqa: PLC0415 - needs the dashboard's login manager

    return Caller.of_user(current_user) if current_user.is_authenticated else None


# --- secret keys ---------------------------------------------------------------------------------


def secret_caller(services: Services, secret_key: str) -> Caller:
    """The caller of a secret key. Raises `Problem` bad_key if it is unknown or revoked."""
    with services.read() as session:
        key = session.scalar(
            select(SecretKey).where(
                SecretKey.hash == hash_token(secret_key), SecretKey.revoked_at.is_(None)
            )
        )
        if key is None:
            raise Problem(Code.BAD_KEY, headers={"WWW-Authenticate": "Bearer"})
        return Caller(
            kind="secret", merchant_id=key.site.merchant_id, site_id=key.site_id, mode=key.mode
        )


# --- publishable keys and origins ----------------------------------------------------------------


def find_site(session: Session, publishable_key: str) -> tuple[Site, str]:
    """The site of a publishable key, and the key's mode (`live` or `test`).

    Raises:
        Problem: site_not_found.
    """
    column = Site.test_key if publishable_key.startswith("pk_test_") else Site.live_key
    site = session.scalar(select(Site).where(column == publishable_key))
    if site is None:
        raise Problem(Code.SITE_NOT_FOUND, param="pk")
    return site, "test" if publishable_key.startswith("pk_test_") else "live"


def require_allowed_origin(site: Site) -> str:
    """The request's Origin, which must equal one of the site's allowed origins.

    Raises:
        Problem: origin_not_allowed.
    """
    origin = request.headers.get("Origin")
    if origin is None or origin not in site.allowed_origins:
        raise Problem(Code.ORIGIN_NOT_ALLOWED)
    return origin


def require_server_origin(services: Services) -> None:
    """CSRF protection for what a cookie authenticates: only the server's own pages may call it.

    Raises:
        Problem: origin_not_allowed.
    """
    if request.headers.get("Origin") != services.settings.server_url:
        raise Problem(Code.ORIGIN_NOT_ALLOWED)


# --- single-use tokens in Redis ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Boot:
    """What a boot token stands for: the site, its key's mode, and the page's origin."""

    merchant_id: str
    site_id: str
    mode: str
    origin: str


def issue_boot_token(services: Services, site: Site, mode: str, origin: str) -> str:
    """Makes a boot token, valid once within BOOT_TOKEN_S. Raises `redis.RedisError`."""
    boot = {
        "merchant_id": site.merchant_id, "site_id": site.id, "mode": mode, "origin": origin
    }  # fmt: skip
    return _keep_once(services, "boot", json.dumps(boot), BOOT_TOKEN_S)


def redeem_boot_token(services: Services, token: str) -> Boot:
    """Consumes a boot token. Raises `Problem` bad_boot_token if it is unknown, used or expired."""
    kept = _take_once(services, "boot", token)
    if kept is None:
        raise Problem(Code.BAD_BOOT_TOKEN, param="boot_token")
    return Boot(**json.loads(kept))


def issue_live_ticket(services: Services, caller: Caller) -> str:
    """Makes a ticket with which this caller may open one live socket within LIVE_TICKET_S. Raises
    `redis.RedisError`."""
    return _keep_once(services, "ticket", caller.to_json(), LIVE_TICKET_S)


def redeem_live_ticket(services: Services, ticket: str) -> Caller | None:
    """Consumes a ticket and returns its caller; None if it is unknown, used or expired."""
    kept = _take_once(services, "ticket", ticket)
    return None if kept is None else Caller.from_json(kept)


def _keep_once(services: Services, purpose: str, value: str, lifetime_s: int) -> str:
    """Stores `value` under a new random token, of which Redis holds only the hash."""
    token = secrets.token_urlsafe(32)
    services.redis.set(_once_key(purpose, token), value, ex=lifetime_s)
    return token


def _take_once(services: Services, purpose: str, token: str) -> bytes | None:
    return take(services.redis, _once_key(purpose, token))


def _once_key(purpose: str, token: str) -> str:
    return f"proteus:{purpose}:{hash_token(token)}"


# --- shopper tokens ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShopperToken:
    token: str
    expires_in_s: int = SHOPPER_TOKEN_S


def issue_shopper_token(services: Services, shopper: Shopper) -> ShopperToken:
    """A new JWT for this shopper, valid for SHOPPER_TOKEN_S."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": shopper.id,
        "site": shopper.site_id,
        "mode": shopper.mode,
        "iat": now,
        "exp": now + SHOPPER_TOKEN_S,
    }
    return ShopperToken(jwt.encode(claims, signing_key(services, "shopper"), ALGORITHM))


def shopper_caller(services: Services, token: str) -> Caller:
    """The caller of a shopper token. Raises `Problem` bad_token."""
    shopper = _shopper_of(services, token)
    if shopper is None:
        raise Problem(Code.BAD_TOKEN, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return shoppers.caller_of(shopper)


def bearer_shopper(services: Services) -> Shopper | None:
    """The shopper of the request's bearer token; None if it is missing or invalid."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return _shopper_of(services, token) if scheme.lower() == "bearer" else None


def _shopper_of(services: Services, token: str) -> Shopper | None:
    """The shopper of a valid token; None if it is invalid or expired, or she was erased since."""
    try:
        claims = jwt.decode(
            token,
            signing_key(services, "shopper"),
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": ["exp", "sub", "site", "mode"]},
        )
    except jwt.InvalidTokenError:
        return None
    shopper = shoppers.get(services, claims["sub"])
    if shopper is None or (shopper.site_id, shopper.mode) != (claims["site"], claims["mode"]):
        return None
    return shopper


def signing_key(services: Services, purpose: str) -> bytes:
    """A key for one purpose, derived from PROTEUS_SECRET_KEY by HMAC-SHA256."""
    secret = services.settings.secret_key.encode()
    return hmac.digest(secret, f"proteus {purpose}".encode(), "sha256")


# --- the resume cookie ---------------------------------------------------------------------------


def set_resume_cookie(response: Response, services: Services, caller: Caller) -> None:
    """Sets the cookie by which a page load within 24 h finds the shopper again; not before consent.
    Called by the two views that accept a photo and by the one that renews tokens."""
    if caller.shopper_id is None:
        return
    # Browsers send the cookie to RESUME_PATH only: elsewhere a missing one does not mean lost.
    reads_it = request.path == RESUME_PATH
    handle = shoppers.remember(services, caller.shopper_id, read_resume_cookie(), replace=reads_it)
    if handle is not None:
        _cookie(response, handle, RESUME_COOKIE_S)


def clear_resume_cookie(response: Response) -> None:
    _cookie(response, "", 0)


def read_resume_cookie() -> str | None:
    """The resume handle. To authenticate by it, call `require_server_origin` first (CSRF)."""
    return request.cookies.get(RESUME_COOKIE)


def _cookie(response: Response, value: str, max_age: int) -> None:
    response.set_cookie(
        RESUME_COOKIE,
        value,
        max_age=max_age,
        path=RESUME_PATH,
        secure=True,
        httponly=True,
        samesite="None",  # this and `partitioned`: the widget runs in a third-party iframe
        partitioned=True,
    )
