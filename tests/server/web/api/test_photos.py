"""/v1/photos: handing over, reading, choosing a person, deleting; each only by its owner."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gpu_worker import contract
from gpu_worker.contract import TAILOR, PhotoStatus, TryOnStatus
from server.domain import uploads
from server.models import DoomedObject, Photo, Shopper, TryOn, Upload, now
from tests.server.actors import JPEG, Actor, World, after, code


def hand_over(actor: Actor, key: str, **changes: Any) -> Any:
    return actor.post("/v1/photos", {"key": key, "consent_version": "2026-11"} | changes)


def waiting(world: World) -> list[str]:
    return list(world.services.jobs.line(TAILOR).positions())


def test_sam_hands_over_a_photo_and_it_is_checked(any_world: World) -> None:
    world, sam = any_world, any_world.sam
    key = sam.upload()
    answer = hand_over(sam, key)
    photo = answer.json
    assert answer.status_code == 202
    assert (photo["status"], photo["reasons"], photo["people"]) == ("checking", [], [])
    assert waiting(world) == [photo["id"]]

    row = world.fetch(Photo, photo["id"])
    assert (row.upload_key, row.clean_key) == (key, f"photos/{row.id}/photo.jpg")
    assert timedelta(hours=23, minutes=59) < row.expires_at - now() <= timedelta(days=1)
    assert world.fetch(Upload, key) is None  # the photo answers for the file now
    shopper = world.shopper_row(sam)
    assert shopper is not None
    assert shopper.consent_version == "2026-11"
    assert sam.get(f"/v1/photos/{photo['id']}").json == photo


def test_the_job_names_what_the_tailor_needs(world: World, sam: Actor) -> None:
    photo = hand_over(sam, sam.upload()).json
    from rq.job import Job
    from rq.serializers import JSONSerializer

    job = Job.fetch(photo["id"], connection=world.services.redis, serializer=JSONSerializer)
    assert job.func_name == "proteus.photo"
    told = contract.job_from_json(job.args[0])
    assert isinstance(told, contract.PhotoJob)
    assert (told.id, told.content_type) == (photo["id"], "image/jpeg")
    assert told.clean_key == f"photos/{photo['id']}/photo.jpg"


def test_the_same_upload_twice_is_one_photo(world: World, sam: Actor) -> None:
    key = sam.upload()
    assert hand_over(sam, key).json == hand_over(sam, key).json
    assert len(waiting(world)) == 1


def test_the_same_upload_from_two_windows_at_once_is_one_photo(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, sam = any_world, any_world.sam
    key = sam.upload()
    elsewhere: list[Any] = []
    after(monkeypatch, uploads, "find", lambda: elsewhere.append(hand_over(sam, key).json))
    answer = hand_over(sam, key)
    assert (answer.status_code, answer.json) == (202, elsewhere[0])
    assert waiting(world) == [answer.json["id"]]


def test_who_is_erased_in_another_window_leaves_no_photo(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, sam = any_world, any_world.sam
    key = sam.upload()
    after(monkeypatch, uploads, "find", lambda: sam.delete("/v1/shoppers/me"))
    assert code(hand_over(sam, key)) == (404, "upload_not_found")
    with world.services.read() as session:
        assert session.query(Photo).count() == 0
    assert world.services.store.head(key) is None


def test_a_redis_that_is_away_loses_no_photo(world: World, sam: Actor) -> None:
    key = sam.upload()
    world.lose_redis()
    answer = hand_over(sam, key)
    assert answer.status_code == 202
    assert world.fetch(Photo, answer.json["id"]).status == PhotoStatus.CHECKING


def test_nobody_hands_over_what_is_not_theirs(world: World, sam: Actor) -> None:
    key = sam.upload()
    for other in (world.kim, world.cleo):
        assert code(hand_over(other, key)) == (404, "upload_not_found")
    assert code(hand_over(sam, "uploads/made/up")) == (404, "upload_not_found")
    assert code(hand_over(sam, "photos/pho_0/photo.jpg")) == (404, "upload_not_found")


def test_what_never_arrived_or_is_something_else(world: World, sam: Actor) -> None:
    announced = sam.announce()
    assert code(hand_over(sam, announced["key"])) == (409, "upload_missing")
    s3 = world.services.store._client
    s3.put_object(
        Bucket=world.services.settings.s3_bucket, Key=announced["key"], Body=JPEG + b"!",
        ContentType="image/jpeg",
    )  # fmt: skip
    assert code(hand_over(sam, announced["key"])) == (422, "type_mismatch")


def test_an_upload_is_forgotten_after_an_hour(world: World, sam: Actor) -> None:
    key = sam.upload()
    with world.services.database.session_scope() as session:
        upload = session.get(Upload, key)
        assert upload is not None
        upload.expires_at = now() - timedelta(seconds=1)
    assert code(hand_over(sam, key)) == (404, "upload_not_found")


@pytest.mark.parametrize(
    "change", [{"key": ""}, {"key": None}, {"consent_version": ""}, {"consent_version": "x" * 41}]
)
def test_refusals(sam: Actor, change: dict[str, Any]) -> None:
    body = {"key": "uploads/x", "consent_version": "2026-11"} | change
    assert code(sam.post("/v1/photos", body)) == (422, "invalid")


def test_a_garment_upload_is_no_photo(world: World, ada: Actor) -> None:
    assert code(hand_over(ada, ada.upload("garment"))) == (404, "upload_not_found")


def test_only_sam_sees_her_photo(any_world: World) -> None:
    world = any_world
    photo = world.photo(world.sam)
    path = f"/v1/photos/{photo.id}"
    assert world.sam.get(path).status_code == 200
    test_backend = world.backend(world.site, "test")
    for stranger in (world.kim, world.cleo, world.ada, test_backend):
        assert code(stranger.get(path)) == (404, "photo_not_found")
        assert code(stranger.patch(path, {"person": 0})) == (404, "photo_not_found")
        assert code(stranger.delete(path)) == (404, "photo_not_found")
    assert code(world.sam.get("/v1/photos/pho_0")) == (404, "photo_not_found")


def test_a_rejected_photo_says_why_in_the_callers_words(world: World, sam: Actor) -> None:
    photo = world.photo(sam, status=PhotoStatus.REJECTED, reasons=["nobody_found"])
    own = world.photo(world.ada, status=PhotoStatus.REJECTED, reasons=["nobody_found"])
    mine: Any = sam.get(f"/v1/photos/{photo.id}").json
    theirs: Any = world.ada.get(f"/v1/photos/{own.id}").json
    assert mine["reasons"][0]["code"] == theirs["reasons"][0]["code"] == "nobody_found"
    assert mine["reasons"][0]["detail"] != theirs["reasons"][0]["detail"]


def test_sam_chooses_one_of_two(world: World, sam: Actor) -> None:
    people = [[0.1, 0.1, 0.3, 0.8], [0.6, 0.1, 0.3, 0.8]]
    photo = world.photo(sam, status=PhotoStatus.REJECTED, reasons=["several_people"], people=people)
    path = f"/v1/photos/{photo.id}"
    assert code(sam.patch(path, {"person": 2})) == (422, "person_unknown")
    assert code(sam.patch(path, {"person": -1})) == (422, "invalid")
    answer = sam.patch(path, {"person": 1})
    body: Any = answer.json
    assert (answer.status_code, body["status"], body["person"]) == (202, "checking", 1)
    assert waiting(world) == [photo.id]
    assert code(sam.patch(path, {"person": 0})) == (409, "photo_settled")


def test_deleting_takes_pictures_and_objects_along(any_world: World) -> None:
    world, sam = any_world, any_world.sam
    photo = hand_over(sam, sam.upload()).json
    row = world.fetch(Photo, photo["id"])
    done = world.finished(row, world.garment())
    open_row = world.try_on(row, world.garment())
    assert sam.delete(f"/v1/photos/{row.id}").status_code == 204

    assert code(sam.get(f"/v1/photos/{row.id}")) == (404, "photo_not_found")
    assert code(sam.get(f"/v1/try-ons/{done.id}")) == (410, "gone")
    assert world.fetch(TryOn, open_row.id).status == TryOnStatus.CANCELLED
    assert world.services.store.head(row.upload_key) is None
    assert waiting(world) == []
    with world.services.read() as session:
        # The store confirmed all of it; the upload's address can still be written to.
        assert {doomed.key for doomed in session.query(DoomedObject)} == {row.upload_key}
        assert session.get(Shopper, world.shopper_id(sam)) is not None
    assert code(sam.delete(f"/v1/photos/{row.id}")) == (404, "photo_not_found")


def test_a_store_that_is_away_delays_the_deletion(world: World, sam: Actor) -> None:
    photo = world.photo(sam)
    world.lose_store()
    assert sam.delete(f"/v1/photos/{photo.id}").status_code == 204
    with world.services.read() as session:
        doomed = {row.key for row in session.query(DoomedObject)}
    assert doomed == {photo.upload_key, photo.clean_key, photo.parts_key}


def test_an_expired_photo_is_unknown(world: World, sam: Actor) -> None:
    photo = world.photo(sam, expires_at=now() - timedelta(seconds=1))
    assert code(sam.get(f"/v1/photos/{photo.id}")) == (404, "photo_not_found")


def test_the_cancelled_check_leaves_a_flag(world: World, sam: Actor) -> None:
    photo = world.photo(sam, status=PhotoStatus.CHECKING)
    sam.delete(f"/v1/photos/{photo.id}")
    assert world.services.redis.exists(contract.cancel_key(photo.id))
