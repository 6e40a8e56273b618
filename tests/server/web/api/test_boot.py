"""POST /v1/sites/{pk}/boot: only pages on the site's own origins get a token."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.actors import SERVER, World, code
from tests.server.people import SHOP


def test_the_shop_page_boots_and_the_widget_gets_a_shopper(world: World) -> None:
    path = f"/v1/sites/{world.site.live_key}/boot"
    answer = world.anybody().post(path, {"garment": "TEE & CO"}, Origin=SHOP)
    body: Any = answer.json
    assert answer.status_code == 200
    assert body["widget_url"] == f"{SERVER}/w/{world.site.live_key}?garment=TEE+%26+CO"
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers

    token = world.anybody().post(
        "/v1/shopper-tokens", {"boot_token": body["boot_token"]}, Origin=SERVER
    )
    assert token.status_code == 200


def test_the_preflight_answers_the_shop(world: World) -> None:
    answer = world.anybody().call(
        "OPTIONS", f"/v1/sites/{world.site.live_key}/boot", Origin=SHOP,
        Access_Control_Request_Method="POST", Access_Control_Request_Headers="content-type",
    )  # fmt: skip
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"


STRANGERS = [
    "https://shop.example.evil.com",
    "https://evilshop.example",
    "https://sub.shop.example",
    "http://shop.example",
    "https://shop.example:8443",
    "https://shop.example/",
    "https://SHOP.example",
    "https://cleo.example",  # allowed, but on Cleo's site: a stolen key
    SERVER,
    "null",
    "*",
    "",
]


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
@pytest.mark.parametrize("origin", STRANGERS)
def test_strangers_are_refused(world: World, origin: str, method: str) -> None:
    path = f"/v1/sites/{world.site.live_key}/boot"
    answer = world.anybody().call(method, path, {} if method == "POST" else None, Origin=origin)
    assert code(answer) == (403, "origin_not_allowed")
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_refusals(world: World) -> None:
    anybody, path = world.anybody(), f"/v1/sites/{world.site.live_key}/boot"
    assert code(anybody.post(path, {})) == (403, "origin_not_allowed")  # no Origin at all
    unknown = anybody.post("/v1/sites/pk_live_000000000000000000000000/boot", {}, Origin=SHOP)
    assert code(unknown) == (404, "site_not_found")
    assert code(anybody.post(path, {"garment": ""}, Origin=SHOP)) == (422, "invalid")
    assert code(anybody.post(path, {"garment": "x" * 101}, Origin=SHOP)) == (422, "invalid")
    assert code(anybody.post(path, {"x": 1}, Origin=SHOP)) == (422, "invalid")
    assert code(anybody.get(path, Origin=SHOP)) == (405, "method_not_allowed")


def test_a_redis_that_is_away_says_come_back(world: World) -> None:
    world.lose_redis()
    answer = world.anybody().post(f"/v1/sites/{world.site.live_key}/boot", {}, Origin=SHOP)
    assert code(answer) == (503, "unavailable")
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP  # so that the page can say it
    assert int(answer.headers["Retry-After"]) > 0
