"""Reads an engine's queues, workers and their measurements from Redis, as the control law's view.

Knows Redis, RQ's key names and ours; decides nothing. Used by the arbitrator, and by a worker that
finds no policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gpu_worker import contract
from gpu_worker.contract import Lane, Mode, Tier
from gpu_worker.control import Curve, Override, Seen, View
from gpu_worker.queue.redis import fields_of, read_hash

if TYPE_CHECKING:
    from redis import Redis

Hash = Mapping[bytes, bytes]
_WORKER_PREFIX = contract.rq_worker_key("").encode()


class EngineSnapshots:
    """Snapshots of one engine, for one thread. It keeps the learned curves between them.

    Every method raises `redis.RedisError` if Redis is away.
    """

    def __init__(self, connection: Redis, engine: str, tiers: Sequence[Tier]):
        self._connection = connection
        self._engine = engine
        self._curves = Curves(connection, engine, tiers)

    def look(self, now: float) -> View:
        """The engine as it is now. `now`: Unix seconds."""
        # Pipelines save round trips; the law does not need numbers of one instant.
        with self._connection.pipeline(transaction=False) as pipe:
            pipe.smembers(contract.RQ_WORKERS)
            for lane in Lane:
                pipe.lrange(contract.ring_key(self._engine, lane), 0, -1)
            pipe.hgetall(contract.arrivals_key(self._engine))
            pipe.hgetall(contract.override_key(self._engine))
            members, *rings, arrivals, override = pipe.execute()
        lines = self._lines(dict(zip(Lane, rings, strict=True)))
        return View(
            live_waiting=sum(length for lane, length, _ in lines if lane is Lane.LIVE),
            bulk_waiting=sum(length for lane, length, _ in lines if lane is Lane.BULK),
            average_wait_s=self._average_wait_s(lines, now),
            arrived=arrived(arrivals),
            workers=tuple(self._workers(members)),
            override=override_from(override),
        )

    def save(self) -> None:
        """Writes the curves that changed since the last call."""
        self._curves.save()

    def _workers(self, members: Iterable[bytes]) -> Iterable[Seen]:
        """This engine's workers that have a heartbeat."""
        ids = sorted(member.removeprefix(_WORKER_PREFIX).decode() for member in members)
        mine = [worker_id for worker_id in ids if worker_id.startswith(f"{self._engine}-")]
        self._curves.forget_all_but(mine)
        with self._connection.pipeline(transaction=False) as pipe:
            for worker_id in mine:
                pipe.hgetall(contract.worker_key(worker_id))
            hashes = pipe.execute()
        for worker_id, fields in zip(mine, hashes, strict=True):
            # The prefix may match another engine's worker, and a dead one has no heartbeat.
            if fields.get(b"engine") == self._engine.encode():
                yield self._seen(worker_id, fields)

    def _seen(self, worker_id: str, fields: Hash) -> Seen:
        """One worker, from the fields of its heartbeat."""
        device = fields.get(b"device", b"").decode()
        held = _whole(fields.get(b"held"), 0)
        return Seen(
            device=device,
            max_slots=max(1, _whole(fields.get(b"max_slots"), 1)),
            held=held,
            live=_whole(fields.get(b"live"), held),
            curves=self._curves.learn(worker_id, device, fields),
            steps={
                name.removeprefix(b"steps:").decode(): max(1, _whole(text, 1))
                for name, text in fields.items()
                if name.startswith(b"steps:")
            },
        )

    def _lines(self, rings: Mapping[Lane, Sequence[bytes]]) -> list[tuple[Lane, int, list[str]]]:
        """Of each queue that has jobs: lane, length, and the ids of its first and last job."""
        keys = [
            (lane, _queue_key(self._engine, lane, merchant))
            for lane, ring in rings.items()
            for merchant in ring
        ]
        with self._connection.pipeline(transaction=False) as pipe:
            for _, key in keys:
                pipe.llen(key)
                pipe.lindex(key, 0)
                pipe.lindex(key, -1)
            answers = pipe.execute()
        triples = zip(answers[::3], answers[1::3], answers[2::3], strict=True)
        return [
            (lane, length, [first.decode(), last.decode()])
            for (lane, _), (length, first, last) in zip(keys, triples, strict=True)
            if length and first and last  # the queue may change between the three reads
        ]

    def _average_wait_s(self, lines: list[tuple[Lane, int, list[str]]], now: float) -> float:
        """Estimated: as if the jobs of each queue arrived evenly between its first and last."""
        with self._connection.pipeline(transaction=False) as pipe:
            for _, _, ids in lines:
                for job_id in ids:
                    pipe.hget(contract.rq_job_key(job_id), "enqueued_at")
            ages = [_age_s(text, now) for text in pipe.execute()]
        waited = sum(
            length * (first + last) / 2
            for (_, length, _), first, last in zip(lines, ages[::2], ages[1::2], strict=True)
        )
        return waited / max(1, sum(length for _, length, _ in lines))


class Curves:
    """The learned curves of one engine, by (device, size): read once from Redis, saved there."""

    def __init__(self, connection: Redis, engine: str, tiers: Sequence[Tier]):
        self._connection = connection
        self._engine = engine
        self._sizes = {tier.size for tier in tiers}
        self._known: dict[tuple[str, str], Curve] = {}
        self._changed: set[tuple[str, str]] = set()
        self._last_reported: dict[tuple[str, bytes], bytes] = {}

    def learn(self, worker_id: str, device: str, fields: Hash) -> dict[str, Curve]:
        """The curves of a device by size, after adding what is new in this worker's heartbeat.

        A median that is the same to the last digit is no new measurement.
        """
        for name, text in fields.items():
            kind, *where = name.decode().split(":")
            is_news = self._last_reported.get((worker_id, name)) != text
            if kind in ("step_ms", "around_ms") and is_news:
                self._last_reported[worker_id, name] = text
                self._note(device, kind, where, text)
        for size in self._sizes:
            self._curve(device, size)
        return {size: curve for (of, size), curve in self._known.items() if of == device and curve}

    def forget_all_but(self, worker_ids: Sequence[str]) -> None:
        """Forgets the last heartbeats of all other workers; what was learned from them stays."""
        self._last_reported = {
            key: text for key, text in self._last_reported.items() if key[0] in worker_ids
        }

    def _note(self, device: str, kind: str, where: list[str], text: bytes) -> None:
        """Adds one measurement to the curve of its size."""
        took_ms = _number(text)
        if took_ms is None or not where:
            return
        curve = self._curve(device, where[0])
        if kind == "around_ms":
            curve = curve.with_around(took_ms)
        elif where[-1].isdigit() and int(where[-1]) > 0:
            curve = curve.with_step(int(where[-1]), took_ms)
        self._known[device, where[0]] = curve
        self._changed.add((device, where[0]))

    def _curve(self, device: str, size: str) -> Curve:
        if (device, size) not in self._known:
            learned = read_hash(self._connection, self._key(device, size))
            self._known[device, size] = Curve.from_redis(learned)
        return self._known[device, size]

    def save(self) -> None:
        with self._connection.pipeline(transaction=False) as pipe:
            for device, size in self._changed:
                fields = fields_of(self._known[device, size].to_redis())
                if fields:
                    pipe.hset(self._key(device, size), mapping=fields)
            pipe.execute()
        self._changed.clear()

    def _key(self, device: str, size: str) -> str:
        return contract.curve_key(device, self._engine, size)


def engines_of(connection: Redis, workers: Iterable[bytes]) -> set[str]:
    """The engines of these members of RQ's set of workers."""
    with connection.pipeline(transaction=False) as pipe:
        for member in workers:
            worker_id = member.removeprefix(_WORKER_PREFIX).decode()
            pipe.hget(contract.worker_key(worker_id), "engine")
        return {name.decode() for name in pipe.execute() if name}


def _queue_key(engine: str, lane: Lane, merchant: bytes) -> str:
    return contract.rq_queue_key(contract.queue_name(engine, lane, merchant.decode()))


def arrived(hash_: Hash) -> int:
    """Jobs ever enqueued, in both lanes."""
    return sum(_whole(count, 0) for count in hash_.values())


def override_from(hash_: Hash) -> Override:
    """The override in this hash; fields that cannot be read are left to the law."""
    words = {name.decode(): text.decode() for name, text in hash_.items()}
    size, mode = words.get("batch_size", ""), words.get("mode", "")
    return Override(
        batch_size=int(size) if size.isdecimal() and int(size) > 0 else None,
        tier=words.get("tier"),
        mode=Mode(mode) if mode in set(Mode) else None,
    )


def _whole(text: bytes | None, otherwise: int) -> int:
    return int(text) if text and text.isdigit() else otherwise


def _number(text: bytes) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None


def _age_s(text: bytes | None, now: float) -> float:
    try:
        return max(0.0, now - datetime.fromisoformat(text.decode()).timestamp()) if text else 0.0
    except ValueError:
        return 0.0
