"""The first page: what to do first, the day in numbers, the engine with its licence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gpu_worker.contract import GarmentStatus, TryOnStatus, worker_key
from server import models
from server.domain import sites
from tests.server.web.dashboard.conftest import House, Person


def test_home_leads_through_the_first_steps(house: House, ada: Person) -> None:
    sites.change_origins(house.services, ada.caller, ada.site.id, [])
    assert "0 of 3 done" in ada.get("/dashboard/").text
    house.garment()
    page = ada.get("/dashboard/").text
    assert "1 of 3 done" in page
    assert "Allow an origin" in page
    sites.change_origins(house.services, ada.caller, ada.site.id, ["https://shop.example"])
    page = ada.get("/dashboard/").text
    assert "2 of 3 done" in page
    assert f"data-site=&#34;{ada.site.live_key}&#34;" in page
    house.try_on()
    assert "Set up your fitting room" not in ada.get("/dashboard/").text


def test_day_counts_live_try_ons_of_24_hours(house: House, ada: Person) -> None:
    done: dict[str, Any] = {"status": TryOnStatus.SUCCEEDED}
    for total_ms in (1_000, 3_000, 9_000):
        house.try_on(**done, total_ms=total_ms)
    house.try_on(status=TryOnStatus.FAILED)
    house.try_on(status=TryOnStatus.CANCELLED)
    house.try_on(**done, total_ms=90_000, mode="test")
    house.try_on(**done, total_ms=90_000, created_at=models.now() - timedelta(hours=25))
    page = ada.get("/dashboard/").text
    assert "<dd>5</dd>" in page
    assert "<dd>75 %</dd>" in page
    assert "<dd>3.0 s</dd>" in page


def test_rejected_garments_are_named(house: House, ada: Person) -> None:
    house.garment(status=GarmentStatus.REJECTED)
    assert "1 garment needs another picture." in ada.get("/dashboard/").text


def test_engine_is_shown_with_its_licence(house: House, ada: Person) -> None:
    assert "Not running" in ada.get("/dashboard/").text
    told: dict[Any, Any] = {
        "engine": "preview",
        "licence": "Apache-2.0",
        "is_preview": "1",
        "pid": "1",
        "ts": "1",
    }
    house.services.redis.hset(worker_key("a"), mapping=told)
    house.services.redis.hset(worker_key("b"), mapping=told | {"engine": "tailor"})
    page = ada.get("/dashboard/").text
    assert "Apache-2.0" in page
    assert "<dd>1</dd>" in page
    assert "Every picture says that it is a preview." in page
