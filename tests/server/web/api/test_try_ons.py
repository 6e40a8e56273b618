"""/v1/try-ons: asking once, following, taking back, deleting; each only by its owner."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from rq.job import Job
from rq.serializers import JSONSerializer

from gpu_worker import contract
from gpu_worker.contract import GarmentStatus, PhotoStatus, Policy, TryOnStatus
from server.infra.store import partial_key, picture_key
from server.models import Photo, TryOn, now
from tests.server.actors import Actor, World, code
from tests.server.conftest import MakeWorld

FINISHED = {
    "id", "status", "result_url", "width", "height", "engine", "is_preview", "tier", "seed",
    "timings_ms", "ai_generated",
}  # fmt: skip


def body_of(world: World, actor: Actor, **changes: Any) -> dict[str, Any]:
    return {"photo_id": world.photo(actor).id, "garment_id": world.garment().id} | changes


def waiting(world: World) -> list[str]:
    return list(world.services.jobs.line("preview").positions())


def test_sam_asks_and_stands_in_line(any_world: World) -> None:
    world, sam = any_world, any_world.sam
    first: Any = sam.post("/v1/try-ons", body_of(world, sam))
    assert first.status_code == 202
    assert (first.json["status"], first.json["position"]) == ("queued", 1)
    assert first.json["eta_s"] is None  # nobody has been seen to draw yet
    second: Any = sam.post("/v1/try-ons", body_of(world, sam)).json
    assert second["position"] == 2
    assert waiting(world) == [first.json["id"], second["id"]]
    assert sam.get(f"/v1/try-ons/{second['id']}").json == second


def test_the_job_carries_the_wishes(world: World, sam: Actor) -> None:
    world.use_engine("catvton-inpaint")
    options = {
        "seed": 7, "num_inference_steps": 20, "guidance_scale": 2.5, "keep_head": False,
        "category": "overall",
    }  # fmt: skip
    made: Any = sam.post("/v1/try-ons", body_of(world, sam, options=options)).json
    job = Job.fetch(made["id"], connection=world.services.redis, serializer=JSONSerializer)
    told = contract.job_from_json(job.args[0])
    assert isinstance(told, contract.TryOnJob)
    assert told.seed == 7
    asked = contract.Options(num_inference_steps=20, guidance_scale=2.5, keep_head=False)
    assert told.options == asked
    assert (told.category, told.engine) == ("overall", "catvton-inpaint")
    assert told.result_key == picture_key(made["id"])


def test_a_finished_one_has_the_promised_shape(world: World, sam: Actor) -> None:
    row = world.finished(world.photo(sam), world.garment())
    body: Any = sam.get(f"/v1/try-ons/{row.id}").json
    assert set(body) >= FINISHED
    assert body["status"] == "succeeded"
    assert picture_key(row.id) in body["result_url"]
    assert body["timings_ms"] == {"queue": 10, "model": 500, "total": 530}
    assert (body["ai_generated"], body["is_preview"], body["error"]) == (True, True, None)


def test_a_failed_one_says_why(world: World, sam: Actor) -> None:
    row = world.try_on(
        world.photo(sam), world.garment(),
        status=TryOnStatus.FAILED, error_code="engine_failed", retryable=True,
    )  # fmt: skip
    body: Any = sam.get(f"/v1/try-ons/{row.id}").json
    assert body["error"]["code"] == "engine_failed"
    assert body["error"]["retryable"] is True
    assert body["error"]["detail"]


# --- asking twice --------------------------------------------------------------------------------


def test_the_same_key_and_body_is_the_same_try_on(any_world: World) -> None:
    world, sam = any_world, any_world.sam
    body = body_of(world, sam)
    first: Any = sam.post("/v1/try-ons", body, Idempotency_Key="k1")
    again: Any = sam.post("/v1/try-ons", body, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json == first.json
    other_body = body | {"options": {"seed": 3}}
    reused = sam.post("/v1/try-ons", other_body, Idempotency_Key="k1")
    assert code(reused) == (422, "idempotency_key_reused")
    assert len(waiting(world)) == 1


def test_the_key_of_a_deleted_one_is_spent(world: World, sam: Actor) -> None:
    body = body_of(world, sam)
    made: Any = sam.post("/v1/try-ons", body, Idempotency_Key="k1").json
    sam.delete(f"/v1/try-ons/{made['id']}")
    assert code(sam.post("/v1/try-ons", body, Idempotency_Key="k1")) == (410, "gone")


def test_a_key_is_its_owners_alone(any_world: World) -> None:
    world = any_world
    mine: Any = world.sam.post("/v1/try-ons", body_of(world, world.sam), Idempotency_Key="k1").json
    hers: Any = world.kim.post("/v1/try-ons", body_of(world, world.kim), Idempotency_Key="k1").json
    assert mine["id"] != hers["id"]


def test_the_same_post_five_times_at_once(any_world: World) -> None:
    world, sam = any_world, any_world.sam
    body = body_of(world, sam)

    def ask(_: int) -> Any:
        return Actor(world.app, sam.bearer).post("/v1/try-ons", body, Idempotency_Key="k").json

    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(ask, range(5)))
    assert len({answer["id"] for answer in answers}) == 1
    assert len(waiting(world)) == 1


@pytest.mark.parametrize("key", ["", "x" * 129, "with space", "ü"])
def test_unreadable_idempotency_keys(world: World, sam: Actor, key: str) -> None:
    answer = sam.client.post(
        "/v1/try-ons",
        data=json.dumps(body_of(world, sam)),
        headers=[
            ("Authorization", f"Bearer {sam.bearer}"),
            ("Idempotency-Key", key.encode().decode("latin-1")),
            ("Content-Type", "application/json"),
        ],
    )
    assert code(answer) == (422, "invalid")


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("photo", "garment", "expected"),
    [
        ({"status": PhotoStatus.CHECKING}, {}, (409, "photo_not_ready")),
        ({"status": PhotoStatus.REJECTED}, {}, (409, "photo_rejected")),
        ({"expires_at": now() - timedelta(days=1)}, {}, (404, "photo_not_found")),
        ({}, {"status": GarmentStatus.CLEANING}, (409, "garment_not_ready")),
        ({}, {"status": GarmentStatus.REJECTED}, (409, "garment_rejected")),
    ],
)
def test_photo_and_garment_must_be_ready(
    world: World, sam: Actor, photo: Any, garment: Any, expected: tuple[int, str]
) -> None:
    body = {"photo_id": world.photo(sam, **photo).id, "garment_id": world.garment(**garment).id}
    assert code(sam.post("/v1/try-ons", body)) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"photo_id": None}, (422, "invalid")),
        ({"garment_id": None}, (422, "invalid")),
        ({"photo_id": "pho_0"}, (404, "photo_not_found")),
        ({"garment_id": "gar_0"}, (404, "garment_not_found")),
        ({"garment_ids": ["gar_0"]}, (422, "invalid")),
        ({"garment_id": None, "garment_ids": ["a", "b"]}, (422, "one_garment_only")),
        ({"options": {"seed": -1}}, (422, "invalid")),
        ({"options": {"seed": 2**31}}, (422, "invalid")),
        ({"options": {"num_inference_steps": 0}}, (422, "invalid")),
        ({"options": {"guidance_scale": 21}}, (422, "invalid")),
        ({"options": {"upscale": 3}}, (422, "invalid")),
        ({"options": {"category": "shoes"}}, (422, "invalid")),
        ({"options": {"strength": 1}}, (422, "invalid")),
        ({"engine": "catvton"}, (422, "invalid")),
    ],
)
def test_refusals(world: World, sam: Actor, change: Any, expected: tuple[int, str]) -> None:
    assert code(sam.post("/v1/try-ons", body_of(world, sam, **change))) == expected


def test_nobody_uses_what_is_not_theirs(any_world: World) -> None:
    world, sam = any_world, any_world.sam
    kims = {"photo_id": world.photo(world.kim).id, "garment_id": world.garment().id}
    assert code(sam.post("/v1/try-ons", kims)) == (404, "photo_not_found")
    foreign = body_of(world, sam, garment_id=world.garment(world.other_site).id)
    assert code(sam.post("/v1/try-ons", foreign)) == (404, "garment_not_found")


def test_only_sam_and_her_shop_reach_it(any_world: World) -> None:
    world = any_world
    row = world.finished(world.photo(world.sam), world.garment())
    path = f"/v1/try-ons/{row.id}"
    assert world.ada.get(path).status_code == 200
    for stranger in (world.kim, world.cleo, world.backend(world.site, "test")):
        for answer in (
            stranger.get(path),
            stranger.patch(path, {"liked": True}),
            stranger.post(f"{path}/cancel"),
            stranger.delete(path),
        ):
            assert code(answer) == (404, "try_on_not_found")
        listed: Any = stranger.get("/v1/try-ons").json
        assert listed["try_ons"] == []


def test_a_full_queue_says_when_to_come_back(make_world: MakeWorld) -> None:
    world = make_world(max_queue=2)
    for _ in range(2):
        assert world.sam.post("/v1/try-ons", body_of(world, world.sam)).status_code == 202
    answer = world.kim.post("/v1/try-ons", body_of(world, world.kim))
    assert code(answer) == (429, "queue_full")
    assert int(answer.headers["Retry-After"]) >= 1
    with world.services.read() as session:
        assert session.query(TryOn).count() == 2  # a refused one leaves nothing


def test_one_shopper_cannot_fill_the_queue(world: World, sam: Actor) -> None:
    photo, garment = world.photo(sam), world.garment()
    for _ in range(12):
        world.try_on(photo, garment)
    body = {"photo_id": photo.id, "garment_id": garment.id}
    assert code(sam.post("/v1/try-ons", body)) == (429, "too_many_try_ons")
    assert world.ada.post("/v1/try-ons", body_of(world, world.ada)).status_code == 202


def test_a_redis_that_is_away_loses_no_try_on(world: World, sam: Actor) -> None:
    body = body_of(world, sam)
    world.lose_redis()
    answer: Any = sam.post("/v1/try-ons", body)
    assert answer.status_code == 202
    assert answer.json["position"] is None
    assert world.fetch(TryOn, answer.json["id"]).status == TryOnStatus.QUEUED


# --- afterwards ----------------------------------------------------------------------------------


def test_sam_takes_a_queued_one_back(any_world: World) -> None:
    world, sam = any_world, any_world.sam
    made: Any = sam.post("/v1/try-ons", body_of(world, sam)).json
    path = f"/v1/try-ons/{made['id']}"
    body: Any = sam.post(f"{path}/cancel").json
    assert (body["status"], body["position"], body["eta_s"]) == ("cancelled", None, None)
    assert waiting(world) == []
    assert not Job.exists(made["id"], connection=world.services.redis)
    again = sam.post(f"{path}/cancel")
    assert again.status_code == 200


def test_a_running_one_is_flagged_for_its_worker(world: World, sam: Actor) -> None:
    row = world.try_on(world.photo(sam), world.garment(), status=TryOnStatus.RUNNING)
    half_done = partial_key(row.id)
    store, bucket = world.services.store, world.services.settings.s3_bucket
    store._client.put_object(Bucket=bucket, Key=half_done, Body=b"half a picture")
    with world.services.database.session_scope() as session:
        session.get_one(TryOn, row.id).partial_key = half_done

    assert sam.post(f"/v1/try-ons/{row.id}/cancel").status_code == 200
    assert store.head(half_done) is None
    assert world.services.redis.exists(contract.cancel_key(row.id))
    assert world.fetch(TryOn, row.id).status == TryOnStatus.CANCELLED


@pytest.mark.parametrize("status", ["succeeded", "failed", "expired"])
def test_what_is_over_is_not_cancelled(world: World, sam: Actor, status: str) -> None:
    row = world.try_on(world.photo(sam), world.garment(), status=TryOnStatus(status))
    assert code(sam.post(f"/v1/try-ons/{row.id}/cancel")) == (409, "try_on_final")


def test_sam_says_what_she_thinks(any_world: World) -> None:
    world, sam = any_world, any_world.sam
    path = f"/v1/try-ons/{world.finished(world.photo(sam), world.garment()).id}"
    body: Any = sam.patch(path, {"liked": False, "reason": "too long"}).json
    assert (body["liked"], body["reason"], body["shared"]) == (False, "too long", False)
    body = sam.patch(path, {"shared": True}).json
    assert (body["liked"], body["reason"], body["shared"]) == (False, "too long", True)
    assert code(sam.patch(path, {"reason": "x" * 501})) == (422, "invalid")
    assert code(sam.patch(path, {"status": "failed"})) == (422, "invalid")


def test_a_deleted_one_is_gone_with_its_picture(any_world: World) -> None:
    world, sam = any_world, any_world.sam
    row = world.finished(world.photo(sam), world.garment(), like_reason="my knees")
    store, bucket = world.services.store, world.services.settings.s3_bucket
    store._client.put_object(Bucket=bucket, Key=picture_key(row.id), Body=b"a picture")
    url = sam.get(f"/v1/try-ons/{row.id}").json["result_url"]  # type: ignore[index]
    assert httpx.get(url).content == b"a picture"

    assert sam.delete(f"/v1/try-ons/{row.id}").status_code == 204
    assert sam.delete(f"/v1/try-ons/{row.id}").status_code == 204
    assert httpx.get(url).status_code == 404
    assert code(sam.get(f"/v1/try-ons/{row.id}")) == (410, "gone")
    assert code(sam.patch(f"/v1/try-ons/{row.id}", {"liked": True})) == (410, "gone")
    tomb = world.fetch(TryOn, row.id)
    assert (tomb.status, tomb.photo_id, tomb.like_reason) == (TryOnStatus.SUCCEEDED, None, None)
    mine: Any = sam.get("/v1/try-ons").json
    theirs: Any = world.ada.get("/v1/try-ons").json
    assert mine["try_ons"] == []
    assert theirs["try_ons"][0]["result_url"] is None


def test_deleting_an_unfinished_one_stops_it(world: World, sam: Actor) -> None:
    made: Any = sam.post("/v1/try-ons", body_of(world, sam)).json
    assert sam.delete(f"/v1/try-ons/{made['id']}").status_code == 204
    assert waiting(world) == []
    assert world.fetch(TryOn, made["id"]).status == TryOnStatus.CANCELLED


def test_an_outdated_picture_is_gone(world: World, sam: Actor) -> None:
    photo = world.photo(sam)
    row = world.finished(photo, world.garment(), expires_at=now() - timedelta(seconds=1))
    assert code(sam.get(f"/v1/try-ons/{row.id}")) == (410, "gone")
    theirs: Any = world.ada.get("/v1/try-ons").json
    assert theirs["try_ons"][0]["result_url"] is None


def test_the_list_narrows_by_status(world: World, sam: Actor) -> None:
    photo, garment = world.photo(sam), world.garment()
    done, _ = world.finished(photo, garment), world.try_on(photo, garment)
    page: Any = sam.get("/v1/try-ons?status=succeeded").json
    assert [row["id"] for row in page["try_ons"]] == [done.id]
    assert code(sam.get("/v1/try-ons?status=done")) == (422, "invalid")


@pytest.mark.parametrize("cursor", ["x", "AAAA", "bm9uc2Vuc2U", "MjAyNi0xMS0yMSBpZA", "%00", "ü"])
def test_made_up_cursors(sam: Actor, cursor: str) -> None:
    assert code(sam.get(f"/v1/try-ons?cursor={cursor}")) == (400, "bad_cursor")


# --- test keys -----------------------------------------------------------------------------------


def test_live_keys_use_the_engine_and_test_keys_the_preview(make_world: MakeWorld) -> None:
    world = make_world(engine="catvton")
    live: Any = world.sam.post("/v1/try-ons", body_of(world, world.sam)).json
    tester = world.visitor(world.site, world.site.test_key)
    photo = world.photo(tester, mode="test")
    body = {"photo_id": photo.id, "garment_id": world.garment().id}
    test: Any = tester.post("/v1/try-ons", body).json
    assert (live["engine"], test["engine"]) == ("catvton", "preview")
    assert code(tester.get(f"/v1/try-ons/{live['id']}")) == (404, "try_on_not_found")
    assert world.fetch(Photo, photo.id).mode == "test"


def test_the_time_is_learned_from_what_was_drawn(world: World, sam: Actor) -> None:
    started = now() - timedelta(seconds=80)
    for _ in range(3):
        world.finished(
            world.photo(sam), world.garment(),
            started_at=started, finished_at=started + timedelta(seconds=60),
        )  # fmt: skip
    made: Any = sam.post("/v1/try-ons", body_of(world, sam)).json
    assert 50 < made["eta_s"] <= 60


def test_who_would_wait_far_too_long_is_told_when_to_come_back(world: World, sam: Actor) -> None:
    policy = Policy(batch_size=1, retry_after_s=42.0)
    key = contract.policy_key("preview")
    world.services.redis.hset(key, mapping=policy.to_redis())  # type: ignore[arg-type]
    assert sam.post("/v1/try-ons", body_of(world, sam)).status_code == 202  # nobody waits yet
    refused = sam.post("/v1/try-ons", body_of(world, sam))
    assert code(refused) == (429, "queue_full")
    assert refused.headers["Retry-After"] == "42"


@pytest.mark.parametrize(
    ("options", "ignored"),
    [
        ({"upscale": 2}, "upscale"),
        ({"num_inference_steps": 20, "guidance_scale": 2}, "guidance_scale"),
        ({"keep_head": False}, "keep_head"),
    ],
)
def test_what_the_engine_would_ignore_is_refused(
    world: World, sam: Actor, options: dict[str, Any], ignored: str
) -> None:
    body = body_of(world, sam, options=options)
    answer = sam.post("/v1/try-ons", body)
    assert code(answer) == (422, "option_not_supported")
    refusal: Any = answer.json
    assert refusal["param"] == f"options.{ignored}"
    assert "preview" in refusal["detail"]
    defaults = {"upscale": 1, "keep_head": True, "seed": 3, "category": "upper"}
    assert sam.post("/v1/try-ons", {**body, "options": defaults}).status_code == 202
