"""What the fetcher stores, tells and charges; whatever becomes of its child."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpu_worker.confined import Pool, WorkFailedError
from gpu_worker.contract import EventType, Reason
from gpu_worker.engine import Refusal
from gpu_worker.fetcher.courier import LATE_S, FetchCourier, children
from gpu_worker.storage.courier import Outcome
from tests.gpu_worker.fetcher.conftest import BOUNDS, HASTE
from tests.hostile_shop import BODY, HostileShop
from tests.services import S3Settings
from tests.tailoring import fetch_job, photo_job
from tests.workshop import Workshop, workshop

KEY = "garments/gar_1/fetched"


@pytest.fixture
def shop(redis_url: str, store: S3Settings, tmp_path: Path) -> Iterator[Workshop]:
    with workshop(redis_url, store, tmp_path, engine="fetcher") as made:
        yield made


@pytest.fixture
def courier(shop: Workshop, pool: Pool) -> FetchCourier:
    return FetchCourier(shop.store, pool, BOUNDS)


def test_a_picture_is_brought_once(
    shop: Workshop, courier: FetchCourier, merchant: HostileShop
) -> None:
    job, charged = fetch_job(f"{merchant.url}/tee.jpg"), list[float]()
    assert courier.outcome(job) is None
    told = courier.deliver(job, courier.fetch(job, charged.append), model_ms=0)
    assert told == Outcome(EventType.FETCHED, {"key": KEY})
    assert shop.store.get(KEY, 100) == BODY
    assert len(charged) == 1
    assert charged[0] > 0
    assert courier.outcome(job) == told, "who follows a fetcher that died does not ask again"
    assert courier.outcome(fetch_job(f"{merchant.url}/other.jpg")) is None
    courier.tidy(job)
    assert shop.store.metadata(KEY) is not None, "it is the tailor's now"


def test_a_refusal_costs_the_time_it_took(
    shop: Workshop, pool: Pool, merchant: HostileShop
) -> None:
    courier, charged = FetchCourier(shop.store, pool, HASTE), list[float]()
    with pytest.raises(Refusal) as refused:
        courier.fetch(fetch_job(f"{merchant.url}/silent"), charged.append)
    assert refused.value.reason is Reason.IMAGE_URL_UNREACHABLE
    assert len(charged) == 1
    assert charged[0] >= HASTE.head_s * 1000
    said = courier.refused(fetch_job(""), refused.value.reason, {}, False)
    assert said.data["reasons"] == ["image_url_unreachable"]


def test_a_child_that_hangs_or_fills_its_memory_is_ended_and_another_goes_on(
    shop: Workshop, merchant: HostileShop
) -> None:
    bounds, charged = replace(BOUNDS, total_s=1), list[float]()
    pool = children(1, bounds, "tests.gpu_worker.fetcher.broken_child")
    courier = FetchCourier(shop.store, pool, BOUNDS)
    try:
        for name, why in (("hangs", "wall"), ("fills", "memory")):
            with pytest.raises(Refusal) as refused:
                courier.fetch(fetch_job(f"http://{name}.example/tee.jpg"), charged.append)
            assert refused.value.reason is Reason.IMAGE_URL_UNREACHABLE
            assert refused.value.detail == why
            job = fetch_job(f"{merchant.url}/tee.jpg")
            assert courier.fetch(job, charged.append).data == BODY
        with pytest.raises(WorkFailedError, match="LookupError"):
            courier.fetch(fetch_job("http://fails.example/tee.jpg"), charged.append)
    finally:
        pool.close()
    assert len(charged) == 5
    assert charged[0] >= (bounds.total_s + LATE_S) * 1000


def test_a_job_of_another_kind_is_refused(courier: FetchCourier) -> None:
    job: Any = photo_job()
    with pytest.raises(Refusal):
        courier.outcome(job)
    courier.tidy(job)
