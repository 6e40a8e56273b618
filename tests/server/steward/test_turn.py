"""One turn of the steward after another, on real Redis, both databases and the local store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from gpu_worker import contract
from gpu_worker.contract import (
    EVENTS,
    NUDGES,
    STEWARD,
    STEWARDS,
    TAILOR,
    EventType,
    GarmentStatus,
    Lane,
    Nudge,
    PhotoStatus,
    Policy,
    TryOnStatus,
    queue_name,
    ring_key,
)
from server.domain import try_ons
from server.infra.kinds import AnyKind
from server.models import DoomedObject, IdempotencyKey, Shopper, TryOn, Upload, now
from server.steward import ledger
from server.steward.steward import Steward
from tests.server.stewards import ON_SQLITE, doomed, turn
from tests.services import S3Settings
from tests.stage import ENGINE, Stage, event, picture_key, stage


@pytest.fixture
def nudged(house: Stage) -> Iterator[Nudges]:
    with Nudges(house.redis) as listener:
        yield listener


class Nudges:
    """Everybody who listens to nudges."""

    def __init__(self, redis: Redis):
        self._pubsub = redis.pubsub()  # type: ignore[no-untyped-call]

    def __enter__(self) -> Nudges:
        self._pubsub.subscribe(NUDGES)
        self._pubsub.get_message(timeout=1)
        return self

    def __exit__(self, *_: object) -> None:
        self._pubsub.close()

    def take(self) -> list[Nudge]:
        taken = []
        while message := self._pubsub.get_message(timeout=0.05):
            taken.append(Nudge.from_text(message["data"]))
        return taken


def pending(house: Stage) -> int:
    return int(house.redis.xpending(EVENTS, STEWARDS)["pending"])


# --- settling ------------------------------------------------------------------------------------


def test_events_become_rows_and_nudges(house: Stage, steward: Steward, nudged: Nudges) -> None:
    row, photo = house.try_on(), house.photo(status=PhotoStatus.CHECKING)
    house.emit(row, EventType.RUNNING, step=2, steps=4)
    house.emit(row, EventType.SUCCEEDED)
    house.emit(photo, EventType.REJECTED, reasons=["nobody_found"])
    turn(steward)

    row, photo = house.read(row), house.read(photo)
    assert (row.status, row.result_key) == (TryOnStatus.SUCCEEDED, picture_key(row.id))
    assert (photo.status, photo.reasons) == (PhotoStatus.REJECTED, ["nobody_found"])
    said = {nudge.id: nudge for nudge in nudged.take()}
    assert said[row.id] == Nudge(
        row.id, row.version, f"{house.ada.id}/{house.shop.id}/{house.sam.id}"
    )
    assert said.keys() == {row.id, photo.id}
    assert pending(house) == 0


def test_what_comes_while_a_turn_waits_keeps_its_own_time(house: Stage, steward: Steward) -> None:
    began = now()
    row = house.try_on(created_at=began)
    later = threading.Timer(0.4, lambda: house.emit(row, EventType.RUNNING, step=0, steps=4))
    later.start()
    while (started := house.read(row).started_at) is None:
        steward.loop(now(), wait_ms=5000)
    later.join()
    assert started - began >= timedelta(seconds=0.399), "at_ms has whole milliseconds"


def test_many_events_of_one_row_are_one_change(house: Stage, steward: Steward) -> None:
    row = house.try_on()
    for step in range(1, 50):
        house.emit(row, EventType.RUNNING, step=step, steps=50)
    turn(steward)
    assert (house.read(row).step, house.read(row).version) == (49, 2)


@pytest.mark.parametrize(
    "order",
    [
        [EventType.SUCCEEDED, EventType.RUNNING],
        [EventType.SUCCEEDED, EventType.SUCCEEDED],
        [EventType.SUCCEEDED, EventType.FAILED],
        [EventType.RUNNING, EventType.SUCCEEDED, EventType.RUNNING, EventType.CANCELLED],
    ],
)
@pytest.mark.parametrize("turn_each", [True, False])
def test_late_and_double_events_are_harmless(
    house: Stage, steward: Steward, order: list[EventType], turn_each: bool
) -> None:
    row = house.try_on()
    for kind in order:
        house.emit(row, kind)
        if turn_each:
            turn(steward)
    turn(steward)
    assert house.read(row).status is TryOnStatus.SUCCEEDED
    assert doomed(house) == set()


def test_a_result_for_a_cancelled_try_on_is_deleted(house: Stage, steward: Steward) -> None:
    row = house.try_on()
    house.put(picture_key(row.id))
    try_ons.cancel(house.services, house.caller(house.sam), row.id)
    house.emit(row, EventType.SUCCEEDED)
    turn(steward)
    turn(steward, after_s=2)
    assert house.read(row).status is TryOnStatus.CANCELLED
    assert picture_key(row.id) not in house.objects()
    assert doomed(house) == set()


@pytest.mark.parametrize("kind", [EventType.READY, EventType.REJECTED, EventType.CANCELLED])
def test_what_is_stored_for_a_deleted_photo_is_deleted(
    house: Stage, steward: Steward, kind: EventType
) -> None:
    photo = house.photo(status=PhotoStatus.CHECKING)
    house.put(photo.clean_key, photo.parts_key)
    with house.services.database.session_scope() as session:
        session.delete(session.merge(photo))
    house.emit(photo, kind)
    turn(steward)
    turn(steward, after_s=2)
    assert house.objects() == set()


@ON_SQLITE
def test_unreadable_events_are_counted_and_done_with(house: Stage, steward: Steward) -> None:
    row = house.try_on()
    house.redis.xadd(EVENTS, {"event": "{"})
    house.redis.xadd(EVENTS, {"something": "else"})
    house.redis.xadd(EVENTS, {"event": event(row, EventType.READY).to_json()})
    house.redis.xadd(EVENTS, {"event": b"\xff\xfe"})
    house.emit(row, EventType.SUCCEEDED, tier="a\x00b")  # PostgreSQL takes no NUL
    other = house.try_on()
    house.emit(other, EventType.SUCCEEDED)
    turn(steward)
    assert house.read(other).status is TryOnStatus.SUCCEEDED
    assert pending(house) == 0
    assert steward.counts["unreadable"] in (4, 5)


def test_what_a_dead_steward_read_is_settled_by_another(house: Stage, steward: Steward) -> None:
    row = house.try_on()
    turn(steward)
    house.emit(row, EventType.SUCCEEDED)
    house.redis.xreadgroup(STEWARDS, "dead", {EVENTS: ">"})
    entries: Any = house.redis.xrange(EVENTS)
    house.redis.xclaim(EVENTS, STEWARDS, "dead", 0, [entries[-1][0]], idle=60_000)
    turn(steward, after_s=2)
    assert house.read(row).status is TryOnStatus.SUCCEEDED
    assert pending(house) == 0


def test_a_commit_without_acknowledgement_is_repeated_without_harm(
    house: Stage, steward: Steward, nudged: Nudges, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = house.try_on()
    house.emit(row, EventType.SUCCEEDED)
    with monkeypatch.context() as patched:
        patched.setattr(steward._inbox, "acknowledge", _die)
        with pytest.raises(KeyboardInterrupt):
            turn(steward)
    assert house.read(row).version == 2
    turn(steward)
    assert (house.read(row).version, len(nudged.take()), pending(house)) == (2, 1, 0)


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_two_stewards_settle_each_event_once(house: Stage, nudged: Nudges) -> None:
    first, second = Steward(house.services, "first"), Steward(house.services, "second")
    rows = [house.try_on() for _ in range(6)]
    for kind in (EventType.RUNNING, EventType.SUCCEEDED):
        for row in rows:
            house.emit(row, kind)
            turn(first)
            turn(second)
    assert {house.read(row).status for row in rows} == {TryOnStatus.SUCCEEDED}
    assert first.counts["settled"] + second.counts["settled"] == 12
    assert len(nudged.take()) >= 12  # and times, once the first one has been seen to end


@pytest.mark.postgres
def test_a_row_that_changes_under_our_hands_is_read_again(
    redis_url: str,
    postgres_url: str,
    store: S3Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """She cancels between our reading of the row and our writing."""
    read = ledger._read
    with stage(redis_url, postgres_url, store, tmp_path) as house:
        row = house.try_on()

        def read_and_lose_time(session: Any, kind: AnyKind, ids: Any) -> Any:
            found = read(session, kind, ids)
            if kind.model is TryOn and house.read(row).status is TryOnStatus.QUEUED:
                try_ons.cancel(house.services, house.caller(house.sam), row.id)
            return found

        monkeypatch.setattr(ledger, "_read", read_and_lose_time)
        house.put(picture_key(row.id))
        house.emit(row, EventType.SUCCEEDED)
        turn(Steward(house.services))
        assert house.read(row).status is TryOnStatus.CANCELLED
        assert pending(house) == 0
        assert house.objects() == set()


def test_a_row_that_nobody_can_put_back_does_not_keep_the_others(
    house: Stage, steward: Steward
) -> None:
    odd = house.try_on(age_s=60, options={"no such option": 1})
    plain = house.try_on(age_s=50)
    turn(steward)
    turn(steward, after_s=3)
    assert queue_of(house) == [plain.id]
    assert house.read(odd).status is TryOnStatus.QUEUED
    assert steward.counts["put_back"] == 1


# --- places --------------------------------------------------------------------------------------


def enqueued(house: Stage, count: int) -> list[TryOn]:
    photo, garment = house.photo(), house.garment()
    rows = [house.try_on(photo, garment) for _ in range(count)]
    for row in rows:
        try_ons.enqueue(house.services, try_ons.job_of(row, photo, garment), Lane.LIVE)
    return rows


def test_places_follow_the_queue(house: Stage, steward: Steward, nudged: Nudges) -> None:
    rows = enqueued(house, 3)
    turn(steward)
    assert [house.read(row).position for row in rows] == [1, 2, 3]
    assert {house.read(row).eta_s for row in rows} == {None}
    assert len(nudged.take()) == 3
    turn(steward, after_s=2)
    assert nudged.take() == []  # nothing moved, nobody is told

    house.redis.lpop(f"rq:queue:{queue_name(ENGINE, Lane.LIVE, house.ada.id)}")  # a worker
    house.emit(rows[0], EventType.RUNNING)
    turn(steward)
    assert [house.read(row).position for row in rows] == [None, 1, 2]
    assert len(nudged.take()) == 3


@ON_SQLITE
def test_what_a_worker_already_fetches_is_ahead_of_the_line(house: Stage, steward: Steward) -> None:
    rows = enqueued(house, 3)
    name = queue_name(ENGINE, Lane.LIVE, house.ada.id)
    house.redis.lpop(f"rq:queue:{name}")
    house.redis.zadd(f"rq:wip:{name}", {f"{rows[0].id}:execution": 1e12})
    turn(steward)
    assert [house.read(row).position for row in rows] == [1, 2, 3]


def test_times_are_learned_from_the_engines_recent_pictures(house: Stage, steward: Steward) -> None:
    begin = now()
    house.try_on(
        status=TryOnStatus.SUCCEEDED, started_at=begin, finished_at=begin + timedelta(seconds=3)
    )
    rows = enqueued(house, 5)  # four fit into a batch
    turn(steward)
    waits = [house.read(row).ready_at or begin for row in rows]
    assert [round((at - waits[0]).total_seconds(), 2) for at in waits] == [0, 0, 0, 0, 3]
    assert waits[0] >= begin + timedelta(seconds=3)


@ON_SQLITE
def test_the_arbitrators_word_comes_before_the_rows(house: Stage, steward: Steward) -> None:
    """Two workers of two slots: 4 pictures at a time, 10 s each."""
    policy = Policy(batch_size=2, picture_s=10, rate_per_s=0.4)
    house.redis.hset(contract.policy_key(ENGINE), mapping=policy.to_redis())  # type: ignore[arg-type]
    begin = now()
    rows = enqueued(house, 5)
    turn(steward)
    waits = [(house.read(row).ready_at or begin) - begin for row in rows]
    assert [round(wait.total_seconds() / 10) for wait in waits] == [1, 1, 1, 1, 2]


def test_what_runs_is_timed_by_its_steps(house: Stage, steward: Steward, nudged: Nudges) -> None:
    policy = Policy(batch_size=1, picture_s=20, rate_per_s=0.05)
    house.redis.hset(contract.policy_key(ENGINE), mapping=policy.to_redis())  # type: ignore[arg-type]
    row = house.try_on(status=TryOnStatus.RUNNING, started_at=now(), step=15, steps=20)
    begin = now()
    turn(steward)
    ready_at = house.read(row).ready_at
    assert ready_at
    assert 5 <= (ready_at - begin).total_seconds() < 10
    assert len(nudged.take()) == 1


# --- putting back --------------------------------------------------------------------------------


def queue_of(house: Stage, engine: str = ENGINE, lane: Lane = Lane.LIVE) -> list[str]:
    name = queue_name(engine, lane, house.ada.id)
    entries: list[Any] = house.redis.lrange(f"rq:queue:{name}", 0, -1)
    return [entry.decode() for entry in entries]


def test_what_redis_lost_is_put_back(house: Stage, steward: Steward) -> None:
    photo, garment = house.photo(), house.garment()
    queued = house.try_on(photo, garment, age_s=60)
    running = house.try_on(
        photo, garment, age_s=60, status=TryOnStatus.RUNNING, step=3, steps=4, started_at=now()
    )
    checking = house.photo(status=PhotoStatus.CHECKING, queued_at=now() - timedelta(seconds=60))
    cleaning = house.garment(status=GarmentStatus.CLEANING, queued_at=now() - timedelta(seconds=60))
    fresh = house.try_on(photo, garment)
    house.redis.flushall()

    turn(steward)
    assert queue_of(house) == []  # it may be settled in this moment: look twice
    turn(steward, after_s=3)
    assert set(queue_of(house)) == {queued.id, running.id}
    assert queue_of(house, TAILOR) == [checking.id]
    assert queue_of(house, TAILOR, Lane.BULK) == [cleaning.id]
    assert fresh.id not in queue_of(house)
    assert house.redis.lrange(ring_key(ENGINE, Lane.LIVE), 0, -1) == [house.ada.id.encode()]
    row = house.read(running)
    assert (row.status, row.step, row.started_at) == (TryOnStatus.QUEUED, 0, None)
    turn(steward, times=2, after_s=10)
    waiting = queue_of(house)
    assert [waiting.count(row.id) for row in (queued, running)] == [1, 1]


@ON_SQLITE
def test_a_merchant_who_fell_out_of_the_ring_joins_again(house: Stage, steward: Steward) -> None:
    (row,) = enqueued(house, 1)
    house.redis.delete(ring_key(ENGINE, Lane.LIVE))
    turn(steward, after_s=30)
    assert house.redis.lrange(ring_key(ENGINE, Lane.LIVE), 0, -1) == [house.ada.id.encode()]
    assert queue_of(house) == [row.id]


@ON_SQLITE
def test_a_job_that_rq_still_knows_from_before_is_put_back(house: Stage, steward: Steward) -> None:
    (row,) = enqueued(house, 1)
    house.redis.delete(f"rq:queue:{queue_name(ENGINE, Lane.LIVE, house.ada.id)}")
    turn(steward, after_s=30)
    turn(steward, after_s=33)
    assert queue_of(house) == [row.id]


@ON_SQLITE
def test_a_leased_job_is_left_alone(house: Stage, steward: Steward) -> None:
    row = house.try_on(age_s=60, status=TryOnStatus.RUNNING)
    name = queue_name(ENGINE, Lane.LIVE, house.ada.id)
    house.redis.zadd(f"rq:wip:{name}", {f"{row.id}:exec": 2_000_000_000})
    turn(steward)
    turn(steward, after_s=3)
    assert house.read(row).status is TryOnStatus.RUNNING
    assert queue_of(house) == []


def test_a_try_on_whose_garment_is_gone_fails(house: Stage, steward: Steward) -> None:
    garment = house.garment()
    row = house.try_on(house.photo(), garment, age_s=60)
    with house.services.database.session_scope() as session:
        session.delete(session.merge(garment))
    turn(steward)
    turn(steward, after_s=3)
    row = house.read(row)
    assert (row.status, row.error_code) == (TryOnStatus.FAILED, "garment_not_found")


# --- letting go ----------------------------------------------------------------------------------


def test_what_never_finished_ends(house: Stage, steward: Steward, nudged: Nudges) -> None:
    (row,) = enqueued(house, 1)
    checking = house.photo(status=PhotoStatus.CHECKING)
    cleaning = house.garment(status=GarmentStatus.CLEANING)
    turn(steward, after_s=house.settings.try_on_timeout_s + 5)
    assert house.read(row).status is TryOnStatus.EXPIRED
    assert queue_of(house) == []
    assert house.read(checking).reasons == ["worker_lost"]
    assert house.read(cleaning).status is GarmentStatus.REJECTED
    assert {nudge.id for nudge in nudged.take()} == {row.id, checking.id, cleaning.id}


def test_photos_and_pictures_run_out(house: Stage, steward: Steward, nudged: Nudges) -> None:
    past = now() - timedelta(seconds=1)
    photo, kept = house.photo(expires_at=past), house.photo()
    row = house.try_on(photo, status=TryOnStatus.SUCCEEDED, result_key="x", expires_at=past)
    old = house.try_on(kept, status=TryOnStatus.SUCCEEDED, result_key="y", expires_at=past)
    house.put(photo.clean_key, photo.parts_key, picture_key(row.id), picture_key(old.id), "other")
    turn(steward)
    turn(steward, after_s=2)

    assert house.read(photo) is None
    for tombstone in (house.read(row), house.read(old)):
        assert (tombstone.result_key, tombstone.photo_id) == (None, None)
        assert tombstone.deleted_at is not None
    assert house.objects() == {"other"}
    assert {nudge.id for nudge in nudged.take()} >= {photo.id, row.id, old.id}


def test_shoppers_uploads_and_answers_run_out(house: Stage, steward: Steward) -> None:
    past = now() - timedelta(days=2)
    shopper = Shopper(merchant_id=house.ada.id, site_id=house.shop.id, mode="live", expires_at=past)
    house.add(shopper)
    photo = house.photo(shopper)
    upload = Upload(
        key="uploads/lost", merchant_id=house.ada.id, site_id=house.shop.id, mode="live",
        purpose="photo", content_type="image/png", size_bytes=1, expires_at=past,
    )  # fmt: skip
    answer = IdempotencyKey(
        owner="sho_1", key="k", body_hash="h", try_on_id="try_1", created_at=past
    )
    house.add(upload, answer)
    house.put("uploads/lost", photo.clean_key)
    turn(steward)
    turn(steward, after_s=2)
    with house.services.read() as session:
        assert session.get(Shopper, shopper.id) is None
        assert session.get(Upload, upload.key) is None
        assert session.get(IdempotencyKey, ("sho_1", "k")) is None
    assert house.read(photo) is None
    assert house.objects() == set()


def test_a_dead_store_delays_a_deletion_and_loses_none(house: Stage, steward: Steward) -> None:
    house.add(DoomedObject(key="pictures/gone.jpg", due_at=now() - timedelta(seconds=1)))
    house.put("pictures/gone.jpg")
    bucket = house.services.store._bucket
    house.services.store._bucket = "no-such-bucket"
    turn(steward)
    with house.services.read() as session:
        kept = session.get_one(DoomedObject, "pictures/gone.jpg")
    assert kept.tries == 1
    assert kept.due_at > now() + timedelta(seconds=2)
    house.services.store._bucket = bucket
    turn(steward, after_s=30)
    assert (house.objects(), doomed(house)) == (set(), set())


@ON_SQLITE
def test_the_steward_says_that_it_lives(house: Stage, steward: Steward) -> None:
    turn(steward)
    assert house.redis.hget(STEWARD, "name") == b"first"
    assert 0 < house.redis.ttl(STEWARD) <= 10
