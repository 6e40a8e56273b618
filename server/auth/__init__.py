"""How a caller proves itself: tokens, tickets, keys, origins, the resume cookie, decorators.

Every view states who may call it with `@allow(...)`, which leaves the list on the view as
`callers`; a test reads it. What a caller may see is not decided here but in `caller.owned`.
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
    """States and checks who may call a view, and hands it the `caller` (not for `anyone`).

    `shopper` and `secret` come with `Authorization: Bearer`, `user` with the dashboard's login;
    `embed` proves itself inside the view, by key and Origin, and is only stated here.
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
    """A mark of where a shopper calls from, by which those who wait are counted. None for a
    merchant's backend."""
    return address_mark(services) if caller.kind == "shopper" else None


def address_mark(services: Services) -> str:
    """Stands for the address of the request where that itself must not be kept."""
    return mark(signing_key(services, "asked from"), limits.network())


def current_caller() -> Caller | None:
    """Who makes this request, once `allow` has found out."""
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
    """Raises `Problem` bad_key."""
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
    """The site of a publishable key and the key's mode.

    Raises:
        Problem: site_not_found.
    """
    column = Site.test_key if publishable_key.startswith("pk_test_") else Site.live_key
    site = session.scalar(select(Site).where(column == publishable_key))
    if site is None:
        raise Problem(Code.SITE_NOT_FOUND, param="pk")
    return site, "test" if publishable_key.startswith("pk_test_") else "live"


def require_allowed_origin(site: Site) -> str:
    """The request's Origin, if it is exactly one of the site's.

    Raises:
        Problem: origin_not_allowed.
    """
    origin = request.headers.get("Origin")
    if origin is None or origin not in site.allowed_origins:
        raise Problem(Code.ORIGIN_NOT_ALLOWED)
    return origin


def require_server_origin(services: Services) -> None:
    """For what a cookie could be abused for: only the server's own pages may ask.

    Raises:
        Problem: origin_not_allowed.
    """
    if request.headers.get("Origin") != services.settings.server_url:
        raise Problem(Code.ORIGIN_NOT_ALLOWED)


# --- single-use tokens in Redis ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Boot:
    """What a boot token stands for."""

    merchant_id: str
    site_id: str
    mode: str
    origin: str


def issue_boot_token(services: Services, site: Site, mode: str, origin: str) -> str:
    """Good once, for 120 s. Raises `redis.RedisError`."""
    boot = {
        "merchant_id": site.merchant_id, "site_id": site.id, "mode": mode, "origin": origin
    }  # fmt: skip
    return _keep_once(services, "boot", json.dumps(boot), BOOT_TOKEN_S)


def redeem_boot_token(services: Services, token: str) -> Boot:
    """Raises `Problem` bad_boot_token."""
    kept = _take_once(services, "boot", token)
    if kept is None:
        raise Problem(Code.BAD_BOOT_TOKEN, param="boot_token")
    return Boot(**json.loads(kept))


def issue_live_ticket(services: Services, caller: Caller) -> str:
    """Lets this caller open one live socket within 30 s. Raises `redis.RedisError`."""
    return _keep_once(services, "ticket", caller.to_json(), LIVE_TICKET_S)


def redeem_live_ticket(services: Services, ticket: str) -> Caller | None:
    """Whose ticket this is; None if it is unknown, was used, or has run out."""
    kept = _take_once(services, "ticket", ticket)
    return None if kept is None else Caller.from_json(kept)


def _keep_once(services: Services, purpose: str, value: str, lifetime_s: int) -> str:
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
    """Raises `Problem` bad_token."""
    shopper = _shopper_of(services, token)
    if shopper is None:
        raise Problem(Code.BAD_TOKEN, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return shoppers.caller_of(shopper)


def bearer_shopper(services: Services) -> Shopper | None:
    """Who asks for a renewal; None where the bearer is missing or no good any more."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return _shopper_of(services, token) if scheme.lower() == "bearer" else None


def _shopper_of(services: Services, token: str) -> Shopper | None:
    """Whose token this is, if it has not run out and the shopper was not erased since."""
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
    """A key for one purpose only, derived from PROTEUS_SECRET_KEY."""
    secret = services.settings.secret_key.encode()
    return hmac.digest(secret, f"proteus {purpose}".encode(), "sha256")


# --- the resume cookie ---------------------------------------------------------------------------


def set_resume_cookie(response: Response, services: Services, caller: Caller) -> None:
    """After consent, and never before: lets a page load within 24 h find the shopper again.
    Both doors that take a photo call it, and the one that renews."""
    if caller.shopper_id is None:
        return
    reads_it = request.path == RESUME_PATH  # no other path is sent the cookie
    handle = shoppers.remember(services, caller.shopper_id, read_resume_cookie(), replace=reads_it)
    if handle is not None:
        _cookie(response, handle, RESUME_COOKIE_S)


def clear_resume_cookie(response: Response) -> None:
    _cookie(response, "", 0)


def read_resume_cookie() -> str | None:
    """Only `POST /v1/shopper-tokens` asks, after `require_server_origin`."""
    return request.cookies.get(RESUME_COOKIE)


def _cookie(response: Response, value: str, max_age: int) -> None:
    response.set_cookie(
        RESUME_COOKIE,
        value,
        max_age=max_age,
        path=RESUME_PATH,
        secure=True,
        httponly=True,
        samesite="None",
        partitioned=True,
    )
