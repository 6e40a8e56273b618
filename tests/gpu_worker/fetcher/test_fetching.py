"""Fetcher and tailor at work together: what one merchant's addresses do to everybody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gpu_worker.config import Settings
from gpu_worker.confined import Pool
from gpu_worker.contract import (
    EventType,
    FetchJob,
    GarmentJob,
    Lane,
    PhotoJob,
    queue_name,
)
from gpu_worker.decoders import Decoders
from gpu_worker.fetcher.courier import FetchCourier, children
from gpu_worker.fetcher.fetcher import Fetcher
from gpu_worker.queue.leases import Claim
from gpu_worker.tailor import Tailor
from gpu_worker.tailor.courier import Limits, TailorCourier
from gpu_worker.worker.bill import Bill
from tests.gpu_worker.fetcher.conftest import BOUNDS
from tests.hostile_shop import HostileShop, hostile_shop
from tests.services import S3Settings
from tests.tailoring import PICTURES, fetch_job, garment_job, photo_job
from tests.waiting import wait_for
from tests.workshop import Workshop, working, workshop

PATIENT = replace(BOUNDS, head_s=120, total_s=120)  # only the test ends what is slow
AT_ONCE, EACH = 4, 2
SETTINGS = Settings()
SLOW = 15


@pytest.fixture(scope="module")
def patient() -> Iterator[Pool]:
    pool = children(AT_ONCE, PATIENT)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    made = Decoders(1, 30, SETTINGS.decode_memory_bytes, SETTINGS.max_pixels)
    yield made
    made.close()


@pytest.fixture
def shop(
    redis_url: str, store: S3Settings, tmp_path: Path, patient: Pool, decoders: Decoders
) -> Iterator[Workshop]:
    limits = Limits(max_upload_bytes=2**22, min_side_px=256, max_side_px=2048)
    with workshop(redis_url, store, tmp_path, engine="fetcher") as made, ExitStack() as at_work:
        fetching = FetchCourier(made.store, patient, PATIENT)
        at_work.enter_context(working(made, Fetcher(AT_ONCE, EACH), fetching))
        at_work.enter_context(working(made, Tailor(), TailorCourier(made.store, decoders, limits)))
        yield made


@pytest.fixture
def good() -> Iterator[HostileShop]:
    """A merchant like any other."""
    with hostile_shop((PICTURES / "garment_tee_geo.jpg").read_bytes()) as server:
        yield server


def put(shop: Workshop, job: FetchJob | GarmentJob | PhotoJob) -> None:
    shop.jobs.enqueue(job, job.ENGINE, job.LANE)


def held(shop: Workshop, merchant: str) -> int:
    return shop.redis.zcard(f"rq:wip:{queue_name('fetcher', Lane.BULK, merchant)}")


def test_slow_addresses_of_one_merchant_delay_nobody_else(
    shop: Workshop, merchant: HostileShop, good: HostileShop
) -> None:
    """All of Cleo's are still on their way when Ada's picture is here and Sam's photo checked."""
    slow = [f"gar_slow{n}" for n in range(SLOW)]
    for garment_id in slow:
        put(shop, fetch_job(f"{merchant.url}/silent", garment_id, merchant_id="mer_cleo"))
    wait_for(lambda: len(merchant.knocks) == EACH)
    photo = photo_job()
    shop.store.put(photo.upload_key, (PICTURES / "person_anna.jpg").read_bytes(), "image/jpeg")
    put(shop, photo)
    put(shop, fetch_job(f"{good.url}/tee.jpg", "gar_ada"))
    wait_for(lambda: shop.events("gar_ada") and shop.events(photo.id))
    assert shop.events("gar_ada")[-1].type is EventType.FETCHED
    assert shop.events(photo.id)[-1].type is EventType.READY
    assert held(shop, "mer_cleo") == EACH == len(merchant.knocks)
    assert [shop.events(garment_id) for garment_id in slow] == [[]] * SLOW

    merchant.let_go.set()
    wait_for(lambda: all(shop.events(garment_id) for garment_id in slow))
    assert {shop.events(garment_id)[-1].type for garment_id in slow} == {EventType.REJECTED}
    wait_for(shop.is_quiet)


def test_what_was_fetched_is_cleaned_and_leaves_nothing_behind(
    shop: Workshop, good: HostileShop
) -> None:
    job = fetch_job(f"{good.url}/hop/3")
    put(shop, job)
    wait_for(lambda: shop.events("gar_1"))
    told = shop.events("gar_1")[-1]
    assert (told.type, told.data["key"]) == (EventType.FETCHED, job.fetched_key)
    put(shop, garment_job(upload_key=job.fetched_key))
    wait_for(lambda: shop.events("gar_1")[-1].type is EventType.READY)
    wait_for(lambda: shop.store.metadata(job.fetched_key) is None)
    wait_for(shop.is_quiet)


def test_the_time_on_the_wall_is_charged_to_its_merchant(
    shop: Workshop, merchant: HostileShop, good: HostileShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails costs as much."""
    paid: dict[str, float] = {}
    close = Bill.close

    def note(self: Bill, claim: Claim, spent_ms: float) -> None:
        paid[claim.merchant] = spent_ms
        close(self, claim, spent_ms)

    monkeypatch.setattr(Bill, "close", note)
    put(shop, fetch_job(f"{merchant.url}/silent", "gar_slow", merchant_id="mer_cleo"))
    put(shop, fetch_job(f"{good.url}/tee.jpg", "gar_ada"))
    wait_for(lambda: merchant.knocks)
    merchant.let_go.wait(0.3)  # so long it takes, at least
    merchant.let_go.set()
    wait_for(lambda: len(paid) == 2)
    assert paid["mer_cleo"] >= 300
    assert paid["mer_ada"] > 0
    assert shop.events("gar_slow")[-1].type is EventType.REJECTED
