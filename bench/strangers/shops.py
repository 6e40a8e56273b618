"""Creates the merchants of the benchmark, each with a site, a secret key and a ready garment.

On a running stack, as its operator would; knows nothing of what is measured.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from bench.shoppers import Shop
from bench.stack import ROOT
from server.config import Settings
from server.domain import sites
from server.infra.caller import Caller
from server.infra.services import Services

GARMENT = ROOT / "embed/demo/static/garment_tee_geo.jpg"
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Merchant:
    """One merchant: the shop's page, the backend's key, and a garment to try on."""

    name: str
    shop: Shop
    secret_key: str
    garment_id: str


def open_shops(env: Mapping[str, str], server_url: str, names: list[str]) -> list[Merchant]:
    """Creates a merchant for each name. `env`: the environment of the stack's server."""
    services = Services.from_settings(Settings.from_env(env))
    try:
        return [_open(services, server_url, name) for name in names]
    finally:
        services.close()


def _open(services: Services, server_url: str, name: str) -> Merchant:
    merchant = sites.create_merchant(services, name)
    origin = f"https://{name}.example"
    site = sites.create(services, merchant.id, name=name, allowed_origins=[origin])
    owner = Caller(kind="user", merchant_id=merchant.id, role="owner")
    key = sites.create_secret_key(services, owner, site.id, "live").secret_key
    with httpx.Client(base_url=server_url, headers={"Authorization": f"Bearer {key}"}) as backend:
        garment_id = _garment(backend, GARMENT.read_bytes())
    return Merchant(name, Shop(site.live_key, origin), key, garment_id)


def _garment(backend: httpx.Client, jpeg: bytes) -> str:
    said = {"purpose": "garment", "content_type": "image/jpeg", "size_bytes": len(jpeg)}
    upload = _answer(backend.post("/v1/uploads", json=said))
    httpx.put(upload["url"], content=jpeg, headers=upload["headers"]).raise_for_status()
    ware = {"sku": "TEE", "title": "Tee", "category": "upper", "image_key": upload["key"]}
    garment_id = str(_answer(backend.post("/v1/garments", json=ware))["id"])
    deadline = time.monotonic() + PATIENCE_S
    while _answer(backend.get(f"/v1/garments/{garment_id}"))["status"] != "ready":
        if time.monotonic() > deadline:
            raise SystemExit("a garment did not become ready")
        time.sleep(0.2)
    return garment_id


def _answer(response: httpx.Response) -> Any:
    response.raise_for_status()
    return response.json()
