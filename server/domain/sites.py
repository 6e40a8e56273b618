"""Sites of merchants: their API keys and allowed origins. Also creates merchants and users.

A secret key is returned once, by the function that makes it; only its hash is stored.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.domain import users
from server.infra.caller import Caller
from server.infra.credentials import hash_token
from server.infra.errors import Code, Problem
from server.infra.services import Services
from server.models import Merchant, SecretKey, Site, User, now

Role = Literal["owner", "staff"]
Mode = Literal["live", "test"]
_HOST = re.compile(r"^(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*$")


def check_origin(origin: str) -> str:
    """Returns an origin that is written as browsers send it: scheme, host, and the port unless it
    is the scheme's default.

    http is for loopback only: elsewhere anyone on the network path could pose as the shop.

    Raises:
        Problem: invalid.
    """
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _bad_origin(origin) from error
    literal = f"[{host}]" if ":" in host else host
    default = {"https": 443, "http": 80}.get(parts.scheme)
    rebuilt = f"{parts.scheme}://{literal}" + (f":{port}" if port not in (None, default) else "")
    if default is None or rebuilt != origin or not _is_host(host):
        raise _bad_origin(origin)
    if parts.scheme == "http" and not _is_loopback(host):
        raise _bad_origin(origin, "use https")
    return origin


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new secret key in clear text, and its row, which holds only the hash."""

    secret_key: str
    row: SecretKey


def create_merchant(services: Services, name: str) -> Merchant:
    with services.work() as work:
        merchant = Merchant(name=name)
        work.session.add(merchant)
    return merchant


def create_user(
    services: Services, merchant_id: str, *, email: str, password: str, role: Role
) -> User:
    """Raises `Problem` invalid for an e-mail that is taken or a password that is too short."""
    password_hash = users.hash_of_new(password)
    with services.work() as work:
        user = User(
            merchant_id=merchant_id,
            email=email.strip().lower(),
            password_hash=password_hash,
            role=role,
        )
        work.session.add(user)
        try:
            work.session.flush()
        except IntegrityError as error:
            raise Problem(Code.INVALID, "This e-mail is taken.", param="email") from error
    return user


def create(services: Services, merchant_id: str, *, name: str, allowed_origins: list[str]) -> Site:
    """Adds a site with new publishable keys. Raises `Problem` invalid for what is no origin."""
    origins = [check_origin(origin) for origin in allowed_origins]
    with services.work() as work:
        site = Site(
            merchant_id=merchant_id,
            name=name,
            live_key=f"pk_live_{secrets.token_hex(12)}",
            test_key=f"pk_test_{secrets.token_hex(12)}",
            allowed_origins=origins,
        )
        work.session.add(site)
    return site


def change_origins(
    services: Services, caller: Caller, site_id: str, allowed_origins: list[str]
) -> Site:
    """Raises `Problem` not_found, or invalid for what is no origin."""
    origins = [check_origin(origin) for origin in allowed_origins]
    with services.work() as work:
        site = _owned_site(work.session, caller, site_id)
        site.allowed_origins = origins
    return site


def get(services: Services, caller: Caller, site_id: str) -> Site:
    """Raises `Problem` not_found."""
    with services.read() as session:
        return _owned_site(session, caller, site_id)


def listing(services: Services, caller: Caller) -> list[Site]:
    """The sites of the caller's merchant, oldest first; a caller bound to a site gets that one."""
    with services.read() as session:
        query = select(Site).where(Site.merchant_id == caller.merchant_id)
        if caller.site_id is not None:
            query = query.where(Site.id == caller.site_id)
        return list(session.scalars(query.order_by(Site.created_at)))


def create_secret_key(
    services: Services, caller: Caller, site_id: str, mode: Mode, *, clear: str | None = None
) -> MadeKey:
    """Makes a secret key. `clear`: a given key instead of a random one (for the demo's seed); the
    same key again returns the same row.

    Raises:
        Problem: not_found.
    """
    clear = clear or f"sk_{mode}_{secrets.token_hex(24)}"
    hashed = hash_token(clear)
    with services.work() as work:
        _owned_site(work.session, caller, site_id)
        known = work.session.scalar(select(SecretKey).where(SecretKey.hash == hashed))
        row = known or SecretKey(site_id=site_id, mode=mode, hint=clear[-4:], hash=hashed)
        work.session.add(row)
    return MadeKey(clear, row)


def secret_keys(services: Services, caller: Caller, site_id: str) -> list[SecretKey]:
    """The keys of a site that still work, newest first. Raises `Problem` not_found."""
    with services.read() as session:
        _owned_site(session, caller, site_id)
        query = select(SecretKey).where(
            SecretKey.site_id == site_id, SecretKey.revoked_at.is_(None)
        )
        return list(session.scalars(query.order_by(SecretKey.created_at.desc())))


def revoke_secret_key(services: Services, caller: Caller, key_id: str) -> None:
    """Raises `Problem` not_found."""
    with services.work() as work:
        row = work.session.get(SecretKey, key_id)
        if row is None or row.site.merchant_id != caller.merchant_id:
            raise Problem(Code.NOT_FOUND)
        row.revoked_at = row.revoked_at or now()


def _owned_site(session: Session, caller: Caller, site_id: str) -> Site:
    site = session.get(Site, site_id)
    if site is None or site.merchant_id != caller.merchant_id:
        raise Problem(Code.NOT_FOUND)
    if caller.site_id not in (None, site_id):
        raise Problem(Code.NOT_FOUND)
    return site


def _bad_origin(origin: str, why: str = "https://shop.example, without a path") -> Problem:
    return Problem(Code.INVALID, f"{origin!r} is not an origin: {why}.", param="allowed_origins")


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(_HOST.match(host)) and len(host) <= 253
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
