"""Prometheus metrics (/metrics) and the autoscaler's endpoint (/internal/scale), on a port of their
own that no ingress may reach. Figures are read on each scrape, so that any process can answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from apiflask import APIBlueprint
from flask import Flask, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from gpu_worker import contract
from gpu_worker.contract import FETCHER, TAILOR, Lane, TryOnStatus
from server.auth import allow
from server.config import Settings
from server.domain import usage
from server.infra import engines
from server.infra.errors import Code, Problem, Unavailable
from server.infra.redis import read_hash
from server.infra.services import Services, current_services
from server.models import now

blueprint = APIBlueprint("internal", __name__, enable_openapi=False)


def register(app: Flask, settings: Settings) -> None:
    app.register_blueprint(blueprint)

    @app.before_request
    def keep_apart() -> None:
        """Serves internal routes at the internal port only, and no other routes there (404)."""
        is_internal = request.blueprint == blueprint.name
        if request.blueprint != "health" and is_internal != _came_in_by(settings.internal_port):
            raise Problem(Code.NOT_FOUND)


def _came_in_by(port: int) -> bool:
    """Whether the request was accepted at this port. Reads the server's own port, before ProxyFix:
    forwarded headers can be forged."""
    told = request.environ.get("werkzeug.proxy_fix.orig", request.environ)
    return str(told.get("SERVER_PORT")) == str(port)


@allow("anyone", limited=False)
def metrics() -> Response:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(current_services()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


@allow("anyone", limited=False)
def scale() -> dict[str, dict[str, int]]:
    """Workers wanted per engine. 503 without an arbitrator: KEDA then uses its fallback."""
    wanted = _wanted(current_services())
    if not wanted:
        raise Unavailable("the arbitrator")
    return {engine: {"desired": count} for engine, count in wanted.items()}


def _wanted(services: Services) -> dict[str, int]:
    try:
        told = read_hash(services.redis, contract.SCALE)
    except RedisError as error:
        raise Unavailable("redis") from error
    return {engine.decode(): int(count) for engine, count in told.items()}


class Figures(Collector):
    """The collector of one scrape. If Redis or the database is away, its figures are left out and
    `proteus_up` is 0 for it."""

    def __init__(self, services: Services):
        self._services = services
        self._engines = sorted({services.settings.engine, "preview", TAILOR, FETCHER})

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("proteus_up", "Whether a part answers the server.", labels=["part"])
        for part, read in (("redis", self._of_redis), ("database", self._of_rows)):
            try:
                yield from list(read())
                up.add_metric([part], 1)
            except (RedisError, Unavailable):
                up.add_metric([part], 0)
        yield up

    def _of_redis(self) -> Iterator[Metric]:
        yield from self._queues()
        yield from self._workers()
        yield self._counts()
        steward = read_hash(self._services.redis, contract.STEWARD)
        age_s = now().timestamp() - float(steward[b"ts"]) if b"ts" in steward else float("inf")
        yield GaugeMetricFamily(
            "proteus_steward_silent_seconds", "Since the steward last said that it lives.", age_s
        )

    def _queues(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("proteus_waiting", "Jobs in line.", labels=["engine", "lane"])
        for engine in self._engines:
            for lane in Lane:
                waiting.add_metric([engine, lane], self._services.jobs.line(engine, lane).depth)
        yield waiting

    def _workers(self) -> Iterator[Metric]:
        living = GaugeMetricFamily("proteus_workers", "Living workers.", labels=["engine"])
        wanted = GaugeMetricFamily(
            "proteus_workers_wanted", "Workers that the arbitrator wants.", labels=["engine"]
        )
        slots = GaugeMetricFamily(
            "proteus_batch_size", "Pictures in one step, by the policy.", labels=["engine", "mode"]
        )
        for engine in self._engines:
            living.add_metric([engine], engines.presence(self._services.redis, engine).workers)
            policy = self._services.jobs.policy(engine)
            if policy is not None:
                slots.add_metric([engine, policy.mode], policy.batch_size)
        for engine, count in _wanted(self._services).items():
            wanted.add_metric([engine], count)
        yield from (living, wanted, slots)

    def _counts(self) -> Metric:
        counted = CounterMetricFamily(
            "proteus_worker_events",
            "What an engine's workers counted: pictures by end, and what went wrong.",
            labels=["engine", "event"],
        )
        living = engines.workers(self._services.redis).values()
        names = {words["engine"] for words in living if "engine" in words}
        for engine in sorted({*self._engines, *names}):
            for event, number in engines.counts(self._services.redis, engine).items():
                counted.add_metric([engine, event], number)
        return counted

    def _of_rows(self) -> Iterator[Metric]:
        oldest = GaugeMetricFamily(
            "proteus_oldest_waiting_seconds", "Age of the oldest queued try-on.", labels=["engine"]
        )
        stands = GaugeMetricFamily(
            "proteus_try_ons", "Try-ons that are kept, by state.", labels=["engine", "status"]
        )
        for kept in usage.kept_try_ons(self._services):
            stands.add_metric([kept.engine, kept.status], kept.number)
            if kept.status is TryOnStatus.QUEUED:
                oldest.add_metric([kept.engine], (now() - kept.queued_at).total_seconds())
        yield from (oldest, stands)


for rule, view in (("/metrics", metrics), ("/internal/scale", scale)):
    blueprint.add_url_rule(rule, view_func=view)
