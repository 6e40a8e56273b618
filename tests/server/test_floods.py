"""Rate limits and back-pressure: budgets by shopper, address, site; fair shares of a full queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from gpu_worker import contract
from gpu_worker.contract import EventType, PhotoStatus, Policy
from server import auth
from server.auth.network import mark, network_of
from server.domain import waiting
from server.domain.try_ons import settle
from server.models import Photo, TryOn, now
from server.rendering.fragments import CONSENT_VERSION
from server.steward import expiry
from tests.server.actors import Actor, World, code
from tests.server.conftest import MakeWorld
from tests.stage import event as told

MOST = 24


@pytest.fixture
def crowded(make_any_world: MakeWorld) -> World:
    """A world whose queue is full at `MOST`; on SQLite, and then on PostgreSQL."""
    return make_any_world(max_queue=MOST)


def at(actor: Actor, address: str) -> Actor:
    actor.client.environ_base["REMOTE_ADDR"] = address
    return actor


def shopper_of(world: World, site: Any, address: str) -> Actor:
    return at(world.shopper(site), address)


def asker(world: World, actor: Actor, site: Any) -> Callable[[], Any]:
    """A function that asks for the same try-on at each call."""
    photo = world.photo(actor, site_id=site.id, merchant_id=site.merchant_id)
    body = {"photo_id": photo.id, "garment_id": world.garment(site).id}
    return lambda: actor.post("/v1/try-ons", body)


def flood(world: World, shoppers: int) -> list[Callable[[], Any]]:
    """So many shoppers of Cleo's site, at one address, ask until each is refused."""
    askers = [
        asker(world, shopper_of(world, world.other_site, "203.0.113.9"), world.other_site)
        for _ in range(shoppers)
    ]
    for ask in askers:
        while ask().status_code == 202:
            pass
    return askers


# --- a full line ---------------------------------------------------------------------------------


def test_a_flood_at_cleos_closes_only_cleos(crowded: World) -> None:
    world = crowded
    floods = flood(world, 3)
    with world.services.read() as session:
        assert sum(waiting.try_ons(session, "preview").values()) == MOST
    sam = asker(world, at(world.sam, "198.51.100.7"), world.site)
    for _ in range(world.services.settings.unfinished_try_ons):
        answer = sam()
        assert answer.status_code == 202
        assert answer.json["position"] <= MOST + 12
        for ask in floods:
            assert code(ask()) in [(429, "queue_full"), (429, "too_many_try_ons")]
    other = shopper_of(world, world.other_site, "203.0.113.9")
    refused = asker(world, other, world.other_site)()
    assert code(refused) == (429, "queue_full")
    assert int(refused.headers["Retry-After"]) >= 1


def test_of_forty_shoppers_of_one_address_another_address_of_the_shop_is_let_in(
    make_world: MakeWorld,
) -> None:
    world = make_world(max_queue=MOST)
    flood(world, 40)
    stranger, neighbour = (
        asker(world, shopper_of(world, world.other_site, address), world.other_site)
        for address in ("203.0.113.9", "203.0.113.10")
    )
    assert code(stranger()) == (429, "queue_full")
    assert neighbour().status_code == 202


def test_where_the_arbitrator_sheds_only_who_holds_more_than_a_share_is_refused(
    crowded: World,
) -> None:
    world = crowded
    policy: Any = Policy(batch_size=1, retry_after_s=42.0).to_redis()
    world.services.redis.hset(contract.policy_key("preview"), mapping=policy)
    cleos = asker(world, shopper_of(world, world.other_site, "203.0.113.9"), world.other_site)
    assert cleos().status_code == 202  # nobody waited
    refused = cleos()
    assert code(refused) == (429, "queue_full")
    assert refused.headers["Retry-After"] == "42"
    assert asker(world, world.sam, world.site)().status_code == 202


def test_shares_are_kept_while_redis_is_away(make_world: MakeWorld) -> None:
    world = make_world(max_queue=3)
    sam = asker(world, world.sam, world.site)
    cleos = asker(world, world.shopper(world.other_site), world.other_site)
    world.lose_redis()
    assert [cleos().status_code for _ in range(4)] == [202, 202, 202, 429]
    assert [sam().status_code for _ in range(2)] == [202, 202]


def test_photos_in_check_have_shares_too(make_world: MakeWorld) -> None:
    world = make_world(max_queue=2)
    cleos = shopper_of(world, world.other_site, "203.0.113.9")
    for _ in range(2):
        mark_of = {"asked_from": mark_at(world, "203.0.113.9")}
        world.photo(cleos, **on(world.other_site), **mark_of, status=PhotoStatus.CHECKING)
    kept = cleos.upload()
    consented = {"consent_version": CONSENT_VERSION}
    assert code(cleos.post("/v1/photos", {"key": kept, **consented})) == (429, "queue_full")
    taken = world.sam.post("/v1/photos", {"key": world.sam.upload(), **consented})
    assert taken.status_code == 202
    with world.services.database.session_scope() as session:
        session.query(Photo).update({"status": PhotoStatus.READY})
    assert cleos.post("/v1/photos", {"key": kept, **consented}).status_code == 202  # nothing lost


def test_a_shopper_has_three_photos_in_check(make_world: MakeWorld) -> None:
    world = make_world()
    sam = world.sam
    for _ in range(3):
        world.photo(sam, status=PhotoStatus.CHECKING)
    body = {"key": sam.upload(), "consent_version": CONSENT_VERSION}
    refused = sam.post("/v1/photos", body)
    assert code(refused) == (429, "too_many_photos")
    assert int(refused.headers["Retry-After"]) >= 1
    page = sam.client.post(
        f"/w/{world.site.live_key}/photos", data=body,
        headers={"Authorization": f"Bearer {sam.bearer}"},
    )  # fmt: skip
    assert (page.status_code, page.mimetype) == (429, "text/html")
    assert "Several of your photos are still being checked." in page.text
    crowd = world.photo(sam, status=PhotoStatus.REJECTED, reasons=["several_people"], people=[[1]])
    again = sam.patch(f"/v1/photos/{crowd.id}", {"person": 0})
    assert code(again) == (429, "too_many_photos")
    theirs = {"key": world.ada.upload(), "consent_version": "1"}
    assert world.ada.post("/v1/photos", theirs).status_code == 202  # her own backend may


def on(site: Any) -> dict[str, str]:
    return {"site_id": site.id, "merchant_id": site.merchant_id}


def mark_at(world: World, address: str) -> str:
    return mark(auth.signing_key(world.services, "asked from"), network_of(address))


# --- what is kept of an address ------------------------------------------------------------------


def test_an_address_is_kept_as_a_mark_and_until_the_end(any_world: World) -> None:
    world = any_world
    ask = asker(world, at(world.sam, "198.51.100.7"), world.site)
    rows = [world.fetch(TryOn, ask().json["id"]) for _ in range(4)]
    assert {row.asked_from for row in rows} == {mark_at(world, "198.51.100.7")}
    assert len(rows[0].asked_from) == 16
    succeeded = told(rows[0], EventType.SUCCEEDED, width=1, height=1, model_ms=1)
    assert settle.change(rows[0], succeeded, now()).values["asked_from"] is None
    world.sam.post(f"/v1/try-ons/{rows[1].id}/cancel")
    world.sam.delete(f"/v1/try-ons/{rows[2].id}")
    later = now() + timedelta(seconds=world.services.settings.try_on_timeout_s)
    assert expiry.end_overdue(world.services, later) == 2
    assert [world.fetch(TryOn, row.id).asked_from for row in rows] == [None] * 4
    backend: Any = asker(world, world.ada, world.site)().json
    assert world.fetch(TryOn, backend["id"]).asked_from is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("unix:", "unknown"),
    ],
)
def test_where_a_request_comes_from(address: str | None, network: str) -> None:
    assert network_of(address) == network


# --- budgets -------------------------------------------------------------------------------------


def announce(actor: Actor) -> tuple[int, str]:
    body = {"purpose": "photo", "content_type": "image/jpeg", "size_bytes": 9}
    answer = actor.post("/v1/uploads", body)
    return (201, "") if answer.status_code == 201 else code(answer)


def test_a_shopper_then_her_address_then_her_shop_has_spent_its_budget(
    make_world: MakeWorld,
) -> None:
    world = make_world(shopper_limit=3, address_limit=5, site_limit=8)
    here = [shopper_of(world, world.site, "198.51.100.7") for _ in range(3)]
    spent = [announce(here[0]) for _ in range(9)]  # refused six times, which costs nobody else
    assert spent == [(201, "")] * 3 + [(429, "rate_limited")] * 6
    assert [announce(here[1]) for _ in range(2)] == [(201, "")] * 2
    refused = here[2].post("/v1/uploads", {})
    assert code(refused) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    there = [shopper_of(world, world.site, f"2001:db8::{n}") for n in (1, 2)]
    answers = [announce(actor)[0] for actor in there for _ in range(3)]
    assert answers == [201, 201, 201, 201, 429, 429]  # half of the shop's is for each address
    assert announce(shopper_of(world, world.other_site, "192.0.2.1")) == (201, "")


def test_a_few_addresses_cannot_spend_a_shops_budget_for_all(make_world: MakeWorld) -> None:
    """Whoever has had less than an equal part of it is let in beyond it."""
    world = make_world(address_limit=6, site_limit=10)
    strangers = [shopper_of(world, world.site, f"198.51.100.{n}") for n in (1, 2)]
    spent = [announce(actor) for _ in range(6) for actor in strangers]
    assert spent == [(201, "")] * 10 + [(429, "rate_limited")] * 2
    sam = shopper_of(world, world.site, "192.0.2.1")
    assert [announce(sam)[0] for _ in range(4)] == [201, 201, 201, 429]  # a third of ten


def test_a_budget_is_the_same_at_both_doors(make_world: MakeWorld) -> None:
    world = make_world(shopper_limit=2)
    sam = world.sam
    photo, garment = world.photo(sam), world.garment()
    path, form = f"/w/{world.site.live_key}/try-ons", {"photo_id": photo.id, "garment": garment.sku}
    bearer = {"Authorization": f"Bearer {sam.bearer}"}
    assert (
        sam.post("/v1/try-ons", {"photo_id": photo.id, "garment_id": garment.id}).status_code == 202
    )
    assert sam.client.post(path, data=form, headers=bearer).status_code == 200
    assert sam.client.post(path, data=form, headers=bearer).status_code == 429
    assert code(sam.post("/v1/try-ons", {})) == (429, "rate_limited")
    assert announce(sam) == (201, "")  # each noun has its own


def test_a_backend_is_held_by_its_site_and_not_by_its_address(make_world: MakeWorld) -> None:
    world = make_world(address_limit=1, site_limit=3)
    body = {"purpose": "garment", "content_type": "image/jpeg", "size_bytes": 9}
    statuses = [world.ada.post("/v1/uploads", body).status_code for _ in range(4)]
    assert statuses == [201, 201, 201, 429]


@pytest.mark.parametrize("door", ["boot", "log in"])
def test_one_network_of_ipv6_is_one_caller(make_world: MakeWorld, door: str) -> None:
    """Not each address of its 2^64."""
    world = make_world(boot_limit=30)
    knock = (_boot if door == "boot" else _log_in)(world, world.anybody())
    statuses = [knock(f"2001:db8:1:2::{number:x}") for number in range(31)]
    assert 429 not in statuses[:30]
    assert statuses[30] == 429
    assert knock("2001:db8:1:3::1") != 429


def _boot(world: World, somebody: Actor) -> Callable[[str], int]:
    path, origin = f"/v1/sites/{world.site.live_key}/boot", world.site.allowed_origins[0]
    return lambda address: at(somebody, address).post(path, {}, Origin=origin).status_code


def _log_in(_: World, somebody: Actor) -> Callable[[str], int]:
    page = somebody.get("/dashboard/login").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]

    def knock(address: str) -> int:
        form = {"csrf_token": token, "email": f"{address}@example.com", "password": "wrong"}
        return at(somebody, address).client.post("/dashboard/login", data=form).status_code

    return knock


# --- three hundred thousand tombstones -----------------------------------------------------------


def test_counting_reads_no_tombstone(any_world: World) -> None:
    """By the database's own plan: an index leads to what is open."""
    world = any_world
    said: list[tuple[str, Any]] = []
    engine = world.services.database.engine

    @event.listens_for(engine, "before_cursor_execute")
    def listen(_c: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
        said.append((sql, values))

    with world.services.read() as session:
        waiting.try_ons(session, "preview")
        waiting.photos(session)
    event.remove(engine, "before_cursor_execute", listen)
    counts = [(sql, values) for sql, values in said if "count" in sql]
    assert len(counts) == 2
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET enable_seqscan = off"))
        explain = "EXPLAIN " if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
        for sql, values in counts:
            plan = str(connection.exec_driver_sql(explain + sql, values).all())
            assert "ix_try_ons_" in plan or "ix_photos_status" in plan
