"""The merchants, users and shoppers of the server's test databases, made once by the domain itself.

Ada is a merchant's owner, Ben her staff, Sam and Kim shoppers on her site; Cleo owns another
merchant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server.domain import shoppers, sites
from server.infra.caller import Caller
from server.infra.services import Services
from server.models import Site

SHOP = "https://shop.example"
PASSWORD = "correct horse"


@dataclass(frozen=True, slots=True)
class People:
    """Ids of a template's rows, and its secret keys, of which the database has only hashes."""

    site_id: str
    other_site_id: str
    ada_key: str
    cleo_key: str
    sam_id: str
    kim_id: str


def settle(services: Services) -> People:
    """Writes all of them into an empty database."""
    site = _merchant(services, "Ada's", "ada@example.com", SHOP)
    person(services, site.merchant_id, "ben@example.com", "staff")
    other_site = _merchant(services, "Cleo's", "cleo@example.com", "https://cleo.example")
    return People(
        site.id,
        other_site.id,
        secret_key(services, site),
        secret_key(services, other_site),
        shopper_id(services, site),
        shopper_id(services, site),
    )


def _merchant(services: Services, name: str, email: str, origin: str) -> Site:
    merchant = sites.create_merchant(services, name)
    person(services, merchant.id, email, "owner")
    return sites.create(services, merchant.id, name=name, allowed_origins=[origin])


def person(services: Services, merchant_id: str, email: str, role: Any) -> None:
    sites.create_user(services, merchant_id, email=email, password=PASSWORD, role=role)


def secret_key(services: Services, site: Site, mode: Any = "live") -> str:
    owner = Caller(kind="user", merchant_id=site.merchant_id, role="owner")
    return sites.create_secret_key(services, owner, site.id, mode).secret_key


def shopper_id(services: Services, site: Site, mode: str = "live") -> str:
    made = shoppers.create(services, merchant_id=site.merchant_id, site_id=site.id, mode=mode)
    return made.id
