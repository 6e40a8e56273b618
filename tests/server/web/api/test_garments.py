"""/v1/garments: added by the merchant's backend, read by shoppers, foreign to everybody else."""

from __future__ import annotations

from typing import Any

import pytest

from gpu_worker.contract import FETCHER, TAILOR, GarmentStatus, Lane, cancel_key, fetch_id
from server.domain import uploads
from server.models import Garment, Upload
from tests.server.actors import Actor, World, after, code


def new(**changes: Any) -> dict[str, Any]:
    return {"sku": "TEE-1", "title": "Tee", "category": "upper", "image_key": "uploads/x"} | changes


def waiting(world: World, engine: str = TAILOR) -> list[str]:
    return list(world.services.jobs.line(engine, Lane.BULK).positions())


def test_ada_adds_a_garment_and_it_is_cleaned(any_world: World) -> None:
    world, ada = any_world, any_world.ada
    key = ada.upload("garment")
    answer = ada.post("/v1/garments", new(title="  <b>Tee</b> ", image_key=key))
    garment: Any = answer.json
    assert answer.status_code == 202
    assert (garment["status"], garment["title"]) == ("cleaning", "<b>Tee</b>")
    assert garment["cutout_url"] is None
    assert waiting(world) == [garment["id"]]
    assert world.fetch(Upload, key) is None
    assert world.sam.get(f"/v1/garments/{garment['id']}").status_code == 200


def test_a_ready_garment_shows_its_cutout(world: World, sam: Actor) -> None:
    garment = world.garment()
    body: Any = sam.get(f"/v1/garments/{garment.id}").json
    assert garment.cutout_key in body["cutout_url"]


def test_a_picture_by_url_is_left_to_the_fetcher(world: World, ada: Actor) -> None:
    body = new(image_url="https://shop.example/tee.jpg")
    del body["image_key"]
    answer: Any = ada.post("/v1/garments", body)
    assert answer.status_code == 202
    garment_id = answer.json["id"]
    assert world.fetch(Garment, garment_id).image_url == "https://shop.example/tee.jpg"
    assert (waiting(world, FETCHER), waiting(world)) == ([fetch_id(garment_id)], [])
    assert ada.delete(f"/v1/garments/{garment_id}").status_code == 204
    assert waiting(world, FETCHER) == []
    told = cancel_key(fetch_id(garment_id))
    assert not world.services.redis.exists(told), "one under way keeps its place to its end"


@pytest.mark.parametrize(
    "address",
    [
        "ftp://shop.example/tee.jpg",
        "//shop.example/tee.jpg",
        "https://ada:key@shop.example/tee.jpg",
        "https://ada@shop.example/tee.jpg",
        "https://shop.example:22/tee.jpg",
        "http://shop.example:8080/tee.jpg",
        "http://shop.example:99999/tee.jpg",
        "http://shop.example\\@10.0.0.1/tee.jpg",
        "http://[fe80::1%25eth0]/tee.jpg",
        "http://[::1/tee.jpg",
        "https://",
        "https:///tee.jpg",
        "https://shop.example/" + "x" * 2000,
    ],
)
def test_an_address_that_can_never_be_fetched_is_refused_at_once(
    world: World, ada: Actor, address: str
) -> None:
    answer = ada.post("/v1/garments", new(image_url=address) | {"image_key": None})
    told: Any = answer.json
    assert (answer.status_code, told["code"], told["param"]) == (422, "invalid", "image_url")
    assert waiting(world, FETCHER) == []


def test_a_sku_is_taken_once_per_site(any_world: World) -> None:
    world, ada = any_world, any_world.ada
    world.garment(sku="TEE-1")
    taken = ada.post("/v1/garments", new(image_key=ada.upload("garment")))
    assert code(taken) == (409, "sku_taken")
    elsewhere = world.cleo.post("/v1/garments", new(image_key=world.cleo.upload("garment")))
    assert elsewhere.status_code == 202
    other = world.garment(sku="TEE-2")
    assert code(ada.patch(f"/v1/garments/{other.id}", {"sku": "TEE-1"})) == (409, "sku_taken")


def test_title_and_sku_change(world: World, ada: Actor) -> None:
    garment = world.garment()
    body: Any = ada.patch(f"/v1/garments/{garment.id}", {"title": "Sunset tee"}).json
    assert (body["title"], body["sku"]) == ("Sunset tee", garment.sku)
    assert world.fetch(Garment, garment.id).version == garment.version + 1


def test_the_category_changes_without_new_cleaning(world: World, ada: Actor) -> None:
    garment = world.garment()
    body: Any = ada.patch(f"/v1/garments/{garment.id}", {"category": "lower"}).json
    assert (body["status"], body["category"]) == ("ready", "lower")
    assert waiting(world) == []


def test_deleting_takes_its_objects_and_leaves_pictures(any_world: World) -> None:
    world, ada = any_world, any_world.ada
    key = ada.upload("garment")
    answer: Any = ada.post("/v1/garments", new(image_key=key))
    garment = world.fetch(Garment, answer.json["id"])
    done = world.finished(world.photo(world.sam), garment)
    assert ada.delete(f"/v1/garments/{garment.id}").status_code == 204
    assert code(ada.get(f"/v1/garments/{garment.id}")) == (404, "garment_not_found")
    assert world.services.store.head(key) is None
    assert waiting(world) == []
    assert world.sam.get(f"/v1/try-ons/{done.id}").status_code == 200


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"sku": ""}, (422, "invalid")),
        ({"sku": "   "}, (422, "invalid")),
        ({"sku": "x" * 101}, (422, "invalid")),
        ({"title": ""}, (422, "invalid")),
        ({"title": "x" * 201}, (422, "invalid")),
        ({"category": "shoes"}, (422, "invalid")),
        ({"image_key": None}, (422, "invalid")),
        ({"image_url": "https://shop.example/a.jpg"}, (422, "invalid")),  # both
        ({"image_key": None, "image_url": "file:///etc/passwd"}, (422, "invalid")),
        ({"image_key": None, "image_url": "ftp://x/y"}, (422, "invalid")),
        ({"status": "ready"}, (422, "invalid")),
        ({"image_key": "uploads/x"}, (404, "upload_not_found")),
    ],
)
def test_refusals(ada: Actor, change: dict[str, Any], expected: tuple[int, str]) -> None:
    assert code(ada.post("/v1/garments", new(**change))) == expected


def test_shoppers_only_read(world: World, sam: Actor) -> None:
    garment = world.garment()
    path = f"/v1/garments/{garment.id}"
    assert code(sam.post("/v1/garments", new())) == (403, "not_allowed")
    assert code(sam.patch(path, {"title": "Mine"})) == (403, "not_allowed")
    assert code(sam.delete(path)) == (403, "not_allowed")


def test_cleo_sees_nothing_of_it(any_world: World) -> None:
    world, path = any_world, f"/v1/garments/{any_world.garment().id}"
    for answer in (
        world.cleo.get(path),
        world.cleo.patch(path, {"title": "Mine"}),
        world.cleo.delete(path),
    ):
        assert code(answer) == (404, "garment_not_found")
    listed: Any = world.cleo.get("/v1/garments").json
    assert listed["garments"] == []
    stolen = world.cleo.post("/v1/garments", new(image_key=world.ada.upload("garment")))
    assert code(stolen) == (404, "upload_not_found")


def test_one_picture_is_one_garments(any_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world, ada = any_world, any_world.ada
    key = ada.upload("garment")
    first: list[int] = []
    other = new(sku="OTHER", image_key=key)
    after(
        monkeypatch, uploads, "find",
        lambda: first.append(ada.post("/v1/garments", other).status_code),
    )  # fmt: skip
    assert code(ada.post("/v1/garments", new(image_key=key))) == (404, "upload_not_found")
    assert first == [202]
    with world.services.read() as session:
        assert session.query(Garment).count() == 1


def test_the_list_is_paged(any_world: World) -> None:
    world, ada = any_world, any_world.ada
    ids = [world.garment().id for _ in range(5)]
    seen, cursor = [], ""
    for _ in range(3):
        page: Any = ada.get(f"/v1/garments?limit=2{cursor}").json
        seen += [row["id"] for row in page["garments"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert seen == ids[::-1]


def test_one_by_sku(world: World, ada: Actor) -> None:
    garment = world.garment(sku="A&B")
    world.garment()
    page: Any = ada.get("/v1/garments?sku=A%26B").json
    assert [row["id"] for row in page["garments"]] == [garment.id]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "page=2", "sku="])
def test_wrong_queries(ada: Actor, query: str) -> None:
    assert code(ada.get(f"/v1/garments?{query}")) == (422, "invalid")


def test_a_rejected_one_says_why(world: World, ada: Actor) -> None:
    garment = world.garment(status=GarmentStatus.REJECTED, reasons=["garment_on_model"])
    body: Any = ada.get(f"/v1/garments/{garment.id}").json
    assert body["reasons"][0]["code"] == "garment_on_model"
