"""A noun that the house has never heard of goes the roads of all others by its entry alone: no
shopper, no picture, and its table is nobody's but this test's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gpu_worker.contract import Lane, Subject
from server.domain import audiences, files
from server.infra.errors import Problem
from server.infra.kinds import KINDS, AnyKind, Change, Jobs, Kind, Kinds, Lifetime, Live, Page
from server.infra.nudges import Owner
from server.models import UtcDateTime, new_id, now
from server.nouns import KINDS as FILLED
from server.steward import expiry
from server.steward.put_back import PutBack
from server.web.live.hub import Voice
from server.web.live.messages import Speaker
from tests.services import S3Settings
from tests.stage import Stage, stage


class ParcelStatus(StrEnum):
    PACKING = "packing"
    LOST = "lost"


class Own(DeclarativeBase):
    type_annotation_map: ClassVar = {datetime: UtcDateTime}


class Parcel(Own):
    __tablename__ = "parcels"
    hers_alone = False

    id: Mapped[str] = mapped_column(primary_key=True)
    merchant_id: Mapped[str]
    site_id: Mapped[str]
    status: Mapped[str] = mapped_column(default=ParcelStatus.PACKING)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=now)
    queued_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]


def _lose(_work: Any, parcel: Parcel) -> None:
    parcel.status = ParcelStatus.LOST


PARCEL: AnyKind = Kind(
    prefix="par",
    model=Parcel,
    jobs=Jobs(
        subject=Subject.GARMENT,  # never asked for: no worker speaks of parcels
        unfinished=(ParcelStatus.PACKING,),
        change=lambda _row, _event, _now: Change(),
        places=lambda _row: (("packer", Lane.BULK),),
        remake=lambda _work, _row: None,
        end=_lose,
    ),
    lifetime=Lifetime(
        lambda moment: Parcel.expires_at <= moment, lambda work, row: work.session.delete(row)
    ),
    live=Live(
        audiences=frozenset({"merchant"}),
        prefix="parcel.",
        events=lambda row, _store, _reader: [(row.status, {"for": row.site_id})],
        pages={"user": Page(lambda _session, row, _store: f"<tr id={row.id}>")},
    ),
)


@pytest.fixture
def house(
    redis_url: str,
    sqlite_url: str,
    store: S3Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stage]:
    monkeypatch.setattr(KINDS, "_by_prefix", {**Kinds(*FILLED, PARCEL)._by_prefix})
    with stage(redis_url, sqlite_url, store, tmp_path) as made:
        Own.metadata.create_all(made.services.database.engine)
        yield made


def parcel(house: Stage, age_s: float = 0, left_s: float = 60) -> Parcel:
    row = Parcel(
        id=new_id("par"),
        merchant_id=house.ada.id,
        site_id=house.shop.id,
        queued_at=now() - timedelta(seconds=age_s),
        expires_at=now() + timedelta(seconds=left_s),
    )
    house.add(row)
    return row


def test_its_merchant_is_told_of_it_and_nobody_else(house: Stage) -> None:
    row, speaker = parcel(house), Speaker(house.services.store)
    assert audiences.channels_for(row) == [f"merchant:{house.ada.id}"]
    assert audiences.channels_of(row.id, Owner("mer_1", "sit_1", "sho_1")) == ["merchant:mer_1"]
    with house.services.read() as session:
        (told,) = audiences.state(session, f"merchant:{house.ada.id}", now())
        assert audiences.state(session, f"site:{house.shop.id}:live", now()) == []
        assert audiences.state_of_shoppers(session, [house.sam.id], now()) == []
        assert audiences.by_id(session, [row.id])[row.id] is told
        page, event = Voice("html", "user"), Voice("json", "secret")
        assert speaker.say(session, told, page) == [f"<tr id={row.id}>"]
        assert [said[2] for said in speaker.state(session, [told], page)] == [[f"<tr id={row.id}>"]]
        assert speaker.say(session, told, Voice("html", "shopper")) == []
        (said,) = speaker.say(session, told, event)
    assert json.loads(said) == {
        "type": "parcel.packing", "id": row.id, "version": 1, "for": house.shop.id
    }  # fmt: skip
    assert json.loads(speaker.gone(row.id, 2, event)[0])["type"] == "parcel.deleted"


def test_it_times_out_runs_out_and_has_no_files(house: Stage) -> None:
    late, fresh, over = parcel(house, age_s=10_000), parcel(house), parcel(house, left_s=-1)
    put_back = PutBack(house.services, lost_after_s=1)
    assert [put_back.run(now()), put_back.run(now())] == [0, 0]  # nothing remakes its job
    assert expiry.end_overdue(house.services, now()) == 1
    assert (house.read(late).status, house.read(late).version) == ("lost", 2)
    assert expiry.expire(house.services, now()) == 1
    assert [house.read(row) is None for row in (late, fresh, over)] == [False, False, True]
    with pytest.raises(Problem, match="file_not_found"):
        files.find(house.services, house.caller(house.shop), f"parcels/{fresh.id}/label")


def test_of_an_id_that_no_noun_has_nobody_is_told(house: Stage) -> None:
    assert audiences.channels_of("xyz_1", Owner("mer_1", "sit_1")) == []
    assert Speaker(house.services.store).gone("xyz_1", 2, Voice("html", "user")) == []
    with pytest.raises(LookupError, match="Stage has no entry"):
        KINDS.of_row(house)
