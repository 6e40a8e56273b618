"""/metrics and /internal/scale: what operators and autoscalers read, at a port of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from werkzeug.test import TestResponse

from gpu_worker import contract
from gpu_worker.contract import Lane, Policy, TryOnStatus
from server.domain import try_ons
from tests.server.actors import World
from tests.server.conftest import MakeWorld
from tests.services import S3Settings
from tests.stage import Stage, stage


def inside(world: World, path: str, **more: Any) -> TestResponse:
    """As it comes in by the internal port."""
    client = world.app.test_client()
    return client.get(path, environ_overrides={"SERVER_PORT": "9090"}, **more)


def figures(text: str) -> dict[tuple[str, ...], float]:
    """Name and label values of every sample."""
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_how_it_stands_can_be_scraped(world: World) -> None:
    photo, garment = world.photo(world.sam), world.garment()
    row = world.try_on(photo, garment)
    world.finished(photo, garment)
    services = world.services
    try_ons.enqueue(services, try_ons.job_of(row, photo, garment), Lane.LIVE)
    policy = Policy(batch_size=3).to_redis()
    services.redis.hset(contract.policy_key("preview"), mapping=policy)  # type: ignore[arg-type]
    services.redis.hset(contract.SCALE, "preview", 2)
    services.redis.hset(contract.worker_key("one"), mapping={"engine": "preview"})
    services.redis.hset(contract.worker_key("odd"), mapping={"engine": "?"})
    said: dict[Any, Any] = {"finished": 7, "out_of_memory": 2}
    services.redis.hset(contract.counts_key("preview"), mapping=said)
    services.redis.hset(contract.counts_key("?"), mapping={"finished": "many"})

    answer = inside(world, "/metrics")
    assert answer.content_type.startswith("text/plain")
    told = figures(answer.text)
    assert told["proteus_waiting", "preview", "live"] == 1
    assert told["proteus_waiting", "tailor", "live"] == 0
    assert told["proteus_workers", "preview"] == 1
    assert told["proteus_workers_wanted", "preview"] == 2
    counted = {
        event: told["proteus_worker_events_total", "preview", event]
        for event in contract.WORKER_COUNTS
    }
    assert told["proteus_worker_events_total", "?", "finished"] == 0
    assert (counted["finished"], counted["out_of_memory"], counted["batches_parted"]) == (7, 2, 0)
    assert told["proteus_batch_size", "preview", "vip"] == 3
    assert told["proteus_try_ons", "preview", "queued"] == 1
    assert told["proteus_try_ons", "preview", "succeeded"] == 1
    assert told["proteus_oldest_waiting_seconds", "preview"] >= 0
    assert told["proteus_steward_silent_seconds",] == float("inf")
    assert (told["proteus_up", "redis"], told["proteus_up", "database"]) == (1, 1)


def test_without_redis_the_rows_are_told_all_the_same(world: World) -> None:
    world.try_on(world.photo(world.sam), world.garment(), status=TryOnStatus.RUNNING)
    world.lose_redis()
    told = figures(inside(world, "/metrics").text)
    assert told["proteus_try_ons", "preview", "running"] == 1
    assert (told["proteus_up", "redis"], told["proteus_up", "database"]) == (0, 1)
    assert ("proteus_workers", "preview") not in told


def test_autoscalers_are_told_how_many_workers_to_run(world: World) -> None:
    world.services.redis.hset(contract.SCALE, mapping={"preview": 3, "tailor": 1})
    answer: Any = inside(world, "/internal/scale").json
    assert answer == {"preview": {"desired": 3}, "tailor": {"desired": 1}}


def test_without_an_arbitrator_they_are_told_nothing_wrong(world: World) -> None:
    assert inside(world, "/internal/scale").status_code == 503
    world.lose_redis()
    assert inside(world, "/internal/scale").status_code == 503


@pytest.mark.parametrize("path", ["/metrics", "/internal/scale"])
def test_the_public_port_has_none_of_it(world: World, path: str) -> None:
    assert world.anybody().get(path).status_code == 404


@pytest.mark.parametrize("path", ["/v1/garments", "/dashboard/login", "/docs", "/"])
def test_the_internal_port_has_nothing_else(world: World, path: str) -> None:
    assert inside(world, path).status_code == 404
    assert inside(world, "/healthz").status_code == 200


def test_a_forwarded_port_is_nobodys_word(make_world: MakeWorld) -> None:
    """Behind a proxy the request's own port can be claimed by a header; the socket's cannot."""
    world = make_world(trusted_proxies=1)
    headers = {"X-Forwarded-Host": "shop.example:9090", "X-Forwarded-For": "10.0.0.1"}
    assert world.app.test_client().get("/metrics", headers=headers).status_code == 404
    assert inside(world, "/metrics", headers=headers).status_code == 200


@pytest.fixture
def house(
    redis_url: str, sqlite_url: str, rclone_service: S3Settings, tmp_path: Path
) -> Iterator[Stage]:
    with stage(redis_url, sqlite_url, rclone_service, tmp_path) as made:
        yield made


@pytest.mark.process
def test_each_port_of_a_real_server_has_its_own(house: Stage, redis_url: str) -> None:
    house.serve()
    Redis.from_url(redis_url).hset(contract.SCALE, "null", 2)
    internal = f"http://127.0.0.1:{house.internal_port}"
    assert httpx.get(f"{internal}/internal/scale").json() == {"null": {"desired": 2}}
    assert "proteus_up" in httpx.get(f"{internal}/metrics").text
    assert httpx.get(f"{internal}/docs").status_code == 404
    assert httpx.get(f"{house.url}/metrics").status_code == 404
    assert httpx.get(f"{house.url}/docs").status_code == 200
