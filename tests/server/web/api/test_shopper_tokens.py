"""POST /v1/shopper-tokens and DELETE /v1/shoppers/me: who the shopper is, and forgetting her."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest

from server import auth
from server.infra.store import UPLOAD_EXPIRES_S
from server.models import Photo, Shopper, TryOn, now
from server.steward import expiry
from tests.server.actors import JPEG, SERVER, Actor, World, code
from tests.server.people import SHOP

PATH = "/v1/shopper-tokens"


def consented(world: World) -> Actor:
    sam = world.visitor(world.site)
    answer = sam.post("/v1/photos", {"key": sam.upload(), "consent_version": "2026-11"})
    assert answer.status_code == 202, answer.text
    return sam


def cookie_of(answer: Any) -> str:
    found = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith(auth.RESUME_COOKIE)]
    return found[0] if found else ""


def test_sam_boots_agrees_reloads_and_is_still_sam(world: World) -> None:
    sam = world.visitor(world.site)
    first = world.shopper_id(sam)
    answer = sam.post("/v1/photos", {"key": sam.upload(), "consent_version": "2026-11"})
    cookie = cookie_of(answer)
    for word in ("Secure", "HttpOnly", "SameSite=None", "Partitioned", "Max-Age=86400"):
        assert word in cookie, cookie
    assert "Path=/v1/shopper-tokens" in cookie

    sam.bearer = None  # the page loads again: memory is gone, the cookie is not
    again = sam.post(PATH, {"boot_token": world.boot(world.site)}, Origin=SERVER)
    body: Any = again.json
    assert (again.status_code, body["resumed"]) == (200, True)
    sam.bearer = body["shopper_token"]
    assert world.shopper_id(sam) == first

    without = sam.post(PATH, {}, Origin=SERVER)  # neither boot token: bearer or cookie
    assert without.status_code == 200


def test_two_tabs_keep_one_handle(world: World) -> None:
    sam = consented(world)
    handles = {cookie_of(sam.post(PATH, {}, Origin=SERVER)).split(";")[0] for _ in range(3)}
    assert len(handles) == 1
    second_photo = sam.post("/v1/photos", {"key": sam.upload(), "consent_version": "2026-11"})
    assert cookie_of(second_photo) == ""  # she holds one already

    sam.client.delete_cookie(auth.RESUME_COOKIE, domain="localhost", path=PATH)
    anew = cookie_of(sam.post(PATH, {}, Origin=SERVER)).split(";")[0]
    assert anew not in handles


def test_a_token_is_renewed_by_itself(world: World, sam: Actor) -> None:
    answer = sam.post(PATH, {}, Origin=SERVER)
    body: Any = answer.json
    assert answer.status_code == 200
    assert body["expires_in_s"] == 900
    assert cookie_of(answer) == ""  # she has not agreed to anything yet
    renewed = Actor(world.app, body["shopper_token"])
    assert world.shopper_id(renewed) == world.shopper_id(sam)


def test_a_boot_token_works_once(world: World) -> None:
    token = world.boot(world.site)
    assert world.anybody().post(PATH, {"boot_token": token}, Origin=SERVER).status_code == 200
    again = world.anybody().post(PATH, {"boot_token": token}, Origin=SERVER)
    assert code(again) == (401, "bad_boot_token")


def test_a_boot_token_runs_out(world: World) -> None:
    token = world.boot(world.site)
    [key] = list(world.services.redis.scan_iter("proteus:boot:*"))
    assert 115 < int(world.services.redis.ttl(key)) <= 120
    assert token.encode() not in key  # stored as its hash only


def test_the_cookie_of_another_site_does_not_count(world: World) -> None:
    sam = consented(world)
    sam.bearer = None
    body: Any = sam.post(PATH, {"boot_token": world.boot(world.other_site)}, Origin=SERVER).json
    assert body["resumed"] is False


@pytest.mark.parametrize("origin", [SHOP, "null", "http://localhost:8081", ""])
def test_only_the_servers_own_pages_may_ask(world: World, origin: str) -> None:
    sam = consented(world)
    sam.bearer = None
    assert code(sam.post(PATH, {}, Origin=origin)) == (403, "origin_not_allowed")
    assert code(sam.post(PATH, {})) == (403, "origin_not_allowed")


def test_nothing_to_go_on_with(world: World) -> None:
    assert code(world.anybody().post(PATH, {}, Origin=SERVER)) == (401, "no_shopper")
    stranger = world.anybody()
    stranger.client.set_cookie(auth.RESUME_COOKIE, "made up", domain="localhost", path=PATH)
    assert code(stranger.post(PATH, {}, Origin=SERVER)) == (401, "no_shopper")
    wrong = world.anybody().post(PATH, {"boot_token": "made up"}, Origin=SERVER)
    assert code(wrong) == (401, "bad_boot_token")


def forged(world: World, key: bytes | None = None, **changes: Any) -> str:
    moment = int(time.time())
    claims = {
        "iss": auth.ISSUER, "aud": auth.AUDIENCE, "sub": world.shopper_id(world.sam),
        "site": world.site.id, "mode": "live", "iat": moment, "exp": moment + 60,
    } | changes  # fmt: skip
    signing = key or auth.signing_key(world.services, "shopper")
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, signing, "HS256")


def test_a_token_made_rightly_is_taken(world: World) -> None:
    assert Actor(world.app, forged(world)).get("/v1/try-ons").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"key": b"another key, but long enough for HS256"},
        {"exp": 1},
        {"exp": None},
        {"aud": "somebody else"},
        {"iss": "somebody else"},
        {"site": "sit_000000000000000000000000"},
        {"mode": "test"},
        {"sub": "sho_000000000000000000000000"},
    ],
)
def test_forged_tokens_are_refused(world: World, changes: dict[str, Any]) -> None:
    actor = Actor(world.app, forged(world, **changes))
    assert code(actor.get("/v1/try-ons")) == (401, "bad_token")


def test_an_unsigned_token_is_refused(world: World) -> None:
    claims = jwt.decode(world.sam.bearer or "", options={"verify_signature": False})
    actor = Actor(world.app, jwt.encode(claims, None, algorithm="none"))
    assert code(actor.get("/v1/try-ons")) == (401, "bad_token")


def test_delete_now_erases_her(world: World) -> None:
    sam = consented(world)
    photo = world.photo(sam)
    row = world.finished(photo, world.garment())
    sam_id = world.shopper_id(sam)

    answer = sam.delete("/v1/shoppers/me")
    assert answer.status_code == 204
    assert "Max-Age=0" in cookie_of(answer)
    assert world.fetch(Shopper, sam_id) is None
    assert world.fetch(Photo, photo.id) is None
    tomb = world.fetch(TryOn, row.id)
    assert (tomb.result_key, tomb.photo_id, tomb.shopper_id) == (None, None, None)
    assert code(sam.get("/v1/try-ons")) == (401, "bad_token")
    assert code(sam.post(PATH, {}, Origin=SERVER)) == (401, "no_shopper")
    assert code(world.ada.get(f"/v1/try-ons/{row.id}")) == (410, "gone")


def test_a_photo_that_arrives_after_delete_now_is_deleted_too(world: World) -> None:
    """Its address was signed before, and nobody can take that back."""
    sam, store = consented(world), world.services.store
    announced = sam.announce()
    assert sam.delete("/v1/shoppers/me").status_code == 204
    url, headers = announced["url"], announced["headers"]
    assert httpx.put(url, content=JPEG, headers=headers).status_code == 200
    expiry.delete_objects(world.services, now())
    assert store.head(announced["key"]) is not None  # it might come again
    expiry.delete_objects(world.services, now() + timedelta(seconds=UPLOAD_EXPIRES_S + 120))
    assert store.head(announced["key"]) is None


def test_a_shopper_whose_day_is_over_is_nobody(world: World, sam: Actor) -> None:
    with world.services.database.session_scope() as session:
        row = session.get(Shopper, world.shopper_id(sam))
        assert row is not None
        row.expires_at = now() - timedelta(seconds=1)
    assert code(sam.get("/v1/try-ons")) == (401, "bad_token")


def test_a_backend_cannot_erase_itself(ada: Actor) -> None:
    assert code(ada.delete("/v1/shoppers/me")) == (403, "not_allowed")
