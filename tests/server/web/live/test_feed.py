"""From nudges to outboxes, whatever the order in which things happen: real rows, no sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from gpu_worker.contract import ContractError, Nudge, TryOnStatus
from server.infra import nudges
from server.infra.jobs import connect
from server.infra.nudges import Heard, Owner
from server.models import TryOn
from server.web.live.feed import Feed
from server.web.live.hub import REMEMBERED, Hub, Outbox, Voice
from tests.services import S3Settings
from tests.stage import Stage, stage

JSON = Voice("json", "shopper")


def box(room: str = "shopper:sho_1", voice: Voice = JSON) -> Outbox:
    return Outbox(room, voice, lambda: None)


# --- the outbox ----------------------------------------------------------------------------------


def test_of_a_burst_only_the_latest_state_is_sent() -> None:
    outbox = box()
    for version in range(1, 9):
        outbox.offer("try_1", version, [f"v{version}"])
    outbox.offer("try_2", 1, ["other"])
    assert outbox.take() == ["v8", "other"]
    assert outbox.take() == []


def test_an_old_state_is_not_offered_again() -> None:
    outbox = box()
    outbox.offer("try_1", 3, ["v3"])
    outbox.take()
    outbox.offer("try_1", 2, ["v2"])
    outbox.offer("try_1", 3, ["v3"])
    assert outbox.take() == []


def test_a_page_that_is_open_for_weeks_forgets_old_rows() -> None:
    outbox = box()
    for number in range(REMEMBERED + 10):
        outbox.offer(f"try_{number}", 1, ["x"])
        outbox.take()
    assert len(outbox.versions()) == REMEMBERED


@given(st.data())
def test_reading_and_telling_may_interleave_in_any_order(data: st.DataObject) -> None:
    """Two readers (the socket's own at its start, and the teller) read the row at one moment and
    offer it at a later one; the row changes meanwhile."""
    outbox, version, held, sent = box(), 1, list[int](), list[int]()
    for act in data.draw(st.lists(st.sampled_from(["change", "read", "offer", "take"]))):
        if act == "change":
            version += 1
        elif act == "read":
            held.append(version)
        elif act == "offer" and held:
            old = held.pop(data.draw(st.integers(0, len(held) - 1)))
            outbox.offer("try_1", old, [str(old)])
        elif act == "take":
            sent += map(int, outbox.take())
    outbox.offer("try_1", version, [str(version)])  # the last nudge is read after the last change
    sent += map(int, outbox.take())
    assert sent == sorted(set(sent))
    assert sent[-1] == version


# --- the hub -------------------------------------------------------------------------------------


def test_a_row_is_rendered_once_for_each_voice() -> None:
    hub, rendered = Hub(10), list[Voice]()
    boxes = [box(voice=voice) for voice in (JSON, JSON, Voice("html", "shopper"))]
    for outbox in boxes:
        hub.join(outbox)

    def say(voice: Voice) -> list[str]:
        rendered.append(voice)
        return [voice.format]

    hub.offer(["shopper:sho_1"], "try_1", 2, say)
    hub.offer(["shopper:sho_1"], "try_1", 2, say)
    assert sorted(voice.format for voice in rendered) == ["html", "json"]
    assert [outbox.take() for outbox in boxes] == [["json"], ["json"], ["html"]]


def test_a_slot_is_free_again_when_its_socket_leaves() -> None:
    hub, outbox = Hub(1), box()
    assert hub.enter()
    assert not hub.enter()
    hub.join(outbox)
    hub.leave(outbox)
    hub.leave(outbox)  # twice is fine
    hub.exit()
    assert (hub.enter(), hub.channels()) == (True, [])


# --- the feed ------------------------------------------------------------------------------------


@pytest.fixture
def house(redis_url: str, sqlite_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Stage]:
    with stage(redis_url, sqlite_url, store, tmp_path) as made:
        yield made


class Theatre:
    """A feed that is driven turn by turn, and what its sockets have been sent."""

    def __init__(self, house: Stage):
        self.house = house
        self.hub = Hub(100)
        self.feed = Feed(house.services, self.hub, connect(house.redis_url))
        self.sent: list[tuple[Outbox, list[dict[str, Any]]]] = []

    def join(self) -> Outbox:
        outbox = Outbox(f"shopper:{self.house.sam.id}", JSON, lambda: None)
        self.hub.join(outbox)
        self.feed.tell_state(outbox)
        self.sent.append((outbox, []))
        return outbox

    def change(self, row: TryOn, step: int) -> Nudge:
        with self.house.services.database.session_scope() as session:
            fresh = session.get_one(TryOn, row.id)
            fresh.version, fresh.step, fresh.status = fresh.version + 1, step, TryOnStatus.RUNNING
            return nudges.of(fresh)

    def tell(self) -> None:
        self.feed.tell(0)

    def collect(self) -> None:
        for outbox, sent in self.sent:
            sent += [json.loads(message) for message in outbox.take()]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_every_socket_ends_with_the_newest_state(house: Stage, data: st.DataObject) -> None:
    """Nudges arrive late, twice, in any order or never (Redis was away: then it subscribes anew);
    sockets join at any time."""
    theatre, on_the_way = Theatre(house), list[Nudge]()
    rows = [house.try_on() for _ in range(2)]
    theatre.join()
    acts = st.sampled_from(["change", "deliver", "lose", "twice", "tell", "join", "collect"])
    for step, act in enumerate(data.draw(st.lists(acts, max_size=25)), start=1):
        if act == "change":
            on_the_way.append(theatre.change(data.draw(st.sampled_from(rows)), step))
        elif act in ("deliver", "twice", "lose") and on_the_way:
            nudge = on_the_way.pop(data.draw(st.integers(0, len(on_the_way) - 1)))
            if act != "lose":
                theatre.feed.hear(Heard(nudges=[nudge] * (2 if act == "twice" else 1)))
        elif act == "tell":
            theatre.tell()
        elif act == "join":
            theatre.join()
        elif act == "collect":
            theatre.collect()
    theatre.feed.hear(Heard(subscribed=True))
    theatre.tell()
    theatre.collect()

    for _, sent in theatre.sent:
        for row in rows:
            versions = [said["version"] for said in sent if said["id"] == row.id]
            assert versions == sorted(set(versions))
            assert versions[-1] == house.read(row).version


def test_without_a_loss_nudges_alone_bring_the_newest_state(house: Stage) -> None:
    theatre, row = Theatre(house), house.try_on()
    theatre.join()
    late = [theatre.change(row, step) for step in range(1, 5)]
    for nudge in reversed(late):
        theatre.feed.hear(Heard(nudges=[nudge]))
        theatre.tell()
    theatre.collect()
    assert [said["version"] for said in theatre.sent[0][1]] == [1, 5]


def test_what_vanished_during_a_silence_is_said_to_be_gone(house: Stage) -> None:
    theatre, photo = Theatre(house), house.photo()
    row, kept = house.try_on(photo), house.try_on()
    theatre.join()
    theatre.collect()
    with house.services.database.session_scope() as session:
        session.delete(session.merge(photo))
        tombstone = session.get_one(TryOn, row.id)
        tombstone.deleted_at, tombstone.version = photo.created_at, 2
        tombstone.shopper_id = None
    theatre.feed.hear(Heard(subscribed=True))
    theatre.tell()
    theatre.collect()
    came = {said["id"]: said["type"] for said in theatre.sent[0][1]}
    assert came[photo.id] == "photo.deleted"
    assert came[row.id] == "deleted"
    assert came[kept.id] == "queued"


def test_rows_that_cannot_be_read_are_told_later(house: Stage) -> None:
    theatre, row = Theatre(house), house.try_on()
    theatre.join()
    theatre.feed.hear(Heard(nudges=[theatre.change(row, 1)]))
    rename(house, "try_ons", "away")
    with pytest.raises(OperationalError):
        theatre.tell()
    rename(house, "away", "try_ons")
    theatre.tell()
    theatre.collect()
    assert [said["version"] for said in theatre.sent[0][1]] == [1, 2]


def rename(house: Stage, table: str, name: str) -> None:
    with house.services.database.session_scope() as session:
        session.execute(text(f"ALTER TABLE {table} RENAME TO {name}"))


def test_a_nudge_that_nobody_here_waits_for_reads_nothing(house: Stage) -> None:
    theatre = Theatre(house)
    theatre.feed.hear(Heard(nudges=[Nudge("try_x", 1, "mer/sit/sho"), Nudge("try_y", 1, "?")]))
    house.services.database.engine.dispose()
    theatre.tell()


# --- owners --------------------------------------------------------------------------------------


def test_an_owner_both_ways() -> None:
    for owner in (Owner("mer_1", "sit_1", "sho_1"), Owner("mer_1", "sit_1")):
        assert Owner.parse(str(owner)) == owner


@pytest.mark.parametrize("text", ["", "mer", "mer/sit", "mer/sit/sho/x", "mer//sho"])
def test_what_is_no_owner(text: str) -> None:
    with pytest.raises(ContractError):
        Owner.parse(text)
