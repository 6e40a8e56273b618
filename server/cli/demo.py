"""Seeds the demo: a merchant with owner Ada and staff Ben, one site, its keys, its garments.

Idempotent. Passwords and keys are derived from PROTEUS_SECRET_KEY, so that they stay the same and
no file of the repository holds them.
"""

from __future__ import annotations

import hmac
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from sqlalchemy import select

from gpu_worker.contract import Category
from server.domain import garments, sites, uploads
from server.domain.garments import NewGarment
from server.infra.caller import Caller
from server.infra.errors import Unavailable
from server.infra.services import Services
from server.models import Garment, Merchant, Site, User

DEMO = Path(__file__).parents[2] / "embed" / "demo"
OWNER, STAFF = "ada@example.com", "ben@example.com"
MERCHANT = "Atelier Proteus"


class Ware(TypedDict):
    """A garment in `embed/demo/garments.json`."""

    sku: str
    title: str
    category: str
    image: str


@dataclass(frozen=True, slots=True)
class Seeded:
    site: Site
    password: str
    secret_key: str


def seed(services: Services, *, shop_port: int) -> dict[str, object]:
    """Creates what is missing. Returns keys, login and garments, as `.proteus/demo.json` holds
    them for tools and tests."""
    seeded = _people_and_site(services, f"http://127.0.0.1:{shop_port}")
    caller = Caller(kind="secret", merchant_id=seeded.site.merchant_id, site_id=seeded.site.id)
    wares: list[Ware] = json.loads((DEMO / "garments.json").read_text())
    rows = [_garment(services, caller, ware) for ware in wares]
    return {
        "server_url": services.settings.server_url,
        "site": seeded.site.id,
        "publishable_key": seeded.site.live_key,
        "test_key": seeded.site.test_key,
        "secret_key": seeded.secret_key,
        "email": OWNER,
        "password": seeded.password,
        "garments": [{"id": g.id, "sku": g.sku, "category": g.category.value} for g in rows],
    }


def _people_and_site(services: Services, origin: str) -> Seeded:
    password = _derived(services, "password", 12)
    with services.read() as session:
        known = session.scalar(select(User).where(User.email == OWNER))
    merchant_id = _merchant(services, password).id if known is None else known.merchant_id
    with services.read() as session:
        mine = select(Site).where(Site.merchant_id == merchant_id).order_by(Site.created_at)
        site = session.scalar(mine.limit(1))
    if site is None:
        site = sites.create(services, merchant_id, name=MERCHANT, allowed_origins=[origin])
    elif origin not in site.allowed_origins:
        owner = Caller(kind="user", merchant_id=merchant_id, role="owner")
        site = sites.change_origins(services, owner, site.id, [*site.allowed_origins, origin])
    return Seeded(site, password, _secret_key(services, site))


def _merchant(services: Services, password: str) -> Merchant:
    merchant = sites.create_merchant(services, MERCHANT)
    for email, role in ((OWNER, "owner"), (STAFF, "staff")):
        sites.create_user(
            services,
            merchant.id,
            email=email,
            password=password,
            role="owner" if role == "owner" else "staff",
        )
    return merchant


def _secret_key(services: Services, site: Site) -> str:
    clear = f"sk_live_{_derived(services, f'secret key of {site.id}', 24)}"
    owner = Caller(kind="user", merchant_id=site.merchant_id, role="owner")
    return sites.create_secret_key(services, owner, site.id, "live", clear=clear).secret_key


def _derived(services: Services, purpose: str, length_bytes: int) -> str:
    secret = services.settings.secret_key.encode()
    return hmac.digest(secret, f"demo {purpose}".encode(), "sha256")[:length_bytes].hex()


def _garment(services: Services, caller: Caller, ware: Ware) -> Garment:
    known = garments.find_by_sku(services, caller, ware["sku"])
    if known is not None:
        return known
    new = NewGarment(
        sku=ware["sku"],
        title=ware["title"],
        category=Category(ware["category"]),
        image_key=_upload(services, caller, DEMO / "static" / ware["image"]),
    )
    return garments.create(services, caller, new)


def _upload(services: Services, caller: Caller, path: Path) -> str:
    """Uploads a picture by a presigned PUT, like any client; returns its key."""
    body = path.read_bytes()
    announced = uploads.create(
        services, caller, purpose="garment", content_type="image/jpeg", size_bytes=len(body)
    )
    put = urllib.request.Request(  # noqa: S310 - our own store
        announced.url, data=body, method="PUT", headers=announced.headers
    )
    try:
        with urllib.request.urlopen(put, timeout=10):  # noqa: S310
            return announced.upload.key
    except urllib.error.URLError as error:
        raise Unavailable("store") from error
