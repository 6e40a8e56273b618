"""The job queue: enqueue, cancel, queue positions. The only server module that imports RQ.

Must not know rows and requests. Redis may lose everything here: rows are the truth, and the
steward enqueues what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq import Retry as RqRetry
from rq.job import Job as RqJob
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.scripts import UNIQUE_ENQUEUE_SCRIPT
from rq.serializers import JSONSerializer

from gpu_worker import contract
from gpu_worker.contract import Job, Lane, Policy
from server.infra.redis import read_hash, read_list, read_set

TIMEOUT_S = 1.0
JOB_TIMEOUT_S = 600
FAILED_JOB_TTL_S = 3600


def connect(url: str) -> Redis:
    """A client with short time-outs: a Redis that hangs must not make the server hang."""
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(ConstantBackoff(0.05), 1),
        health_check_interval=30,
    )


@dataclass(frozen=True, slots=True)
class Line:
    """Snapshot of one lane's queue: (merchant, ids of jobs) in the order of the ring."""

    waiting: Sequence[tuple[str, Sequence[str]]]

    @property
    def depth(self) -> int:
        return sum(len(ids) for _, ids in self.waiting)

    def positions(self) -> dict[str, int]:
        """Position of every waiting job, 1 = next, by round robin over the merchants. An estimate:
        workers share by engine time, and jobs differ in length."""
        rounds = max((len(ids) for _, ids in self.waiting), default=0)
        order = (ids[n] for n in range(rounds) for _, ids in self.waiting if n < len(ids))
        return {job_id: place for place, job_id in enumerate(order, start=1)}


@dataclass(frozen=True, slots=True)
class Opening:
    """Where one more job would join the queue. `lengths`: waiting jobs per merchant, in the order
    of the ring; `mine`: index of the newcomer's merchant; `before`: how many of that merchant's
    jobs would be drawn before it."""

    lengths: Sequence[int]
    mine: int
    before: int

    @property
    def depth(self) -> int:
        return sum(self.lengths)

    @property
    def position(self) -> int:
        """The position that `Line.positions` would give it, computed from the lengths alone."""
        others = [(n, place) for place, n in enumerate(self.lengths) if place != self.mine]
        return 1 + self.before + sum(min(n, self.before + (p < self.mine)) for n, p in others)


class Jobs:
    """The RQ queues of all engines. Every method raises `redis.RedisError` if Redis is away."""

    def __init__(self, redis: Redis):
        self._redis = redis

    def enqueue(self, job: Job, engine: str, lane: Lane = Lane.LIVE, *, anew: bool = False) -> bool:
        """Enqueues a job, adds its merchant to the ring and wakes idle workers, in one transaction.

        Idempotent: a job id that RQ knows already is left alone, which is a success, too. `anew`
        first deletes what RQ remembers of an earlier run under this id.

        Returns:
            Whether this call enqueued it.
        """
        queue = self._queue(contract.queue_name(engine, lane, job.merchant_id))
        rq_job = _prepared(queue, job)
        with self._redis.pipeline(transaction=True) as pipe:
            if anew:
                pipe.delete(rq_job.key, contract.cancel_key(job.id))
            # RQ's own script for unique enqueueing, run here because RQ would run it outside the
            # MULTI.
            pipe.eval(
                UNIQUE_ENQUEUE_SCRIPT,
                2, rq_job.key, queue.key, job.id, "R", -1, *_hash_fields(rq_job),
            )  # fmt: skip
            pipe.eval(
                contract.TAKE_TURN,
                2, queue.key, contract.turns_key(queue.name),
                job.id, contract.turn_of(job.shopper_id, job.asked_from), contract.TURNS_TTL_S,
            )  # fmt: skip
            pipe.sadd(queue.redis_queues_keys, queue.key)
            pipe.eval(contract.JOIN_RING, 1, contract.ring_key(engine, lane), job.merchant_id)
            pipe.lpush(contract.bell_key(engine), "1")
            pipe.ltrim(contract.bell_key(engine), 0, contract.BELL_LENGTH - 1)
            if anew:
                pipe.zrem(FailedJobRegistry(queue=queue).key, job.id)
            else:  # the arbitrator's rate of arrivals: a job that begins again is none
                pipe.hincrby(contract.arrivals_key(engine), lane.value, 1)
            answers = pipe.execute()
        return bool(answers[1 if anew else 0])  # the answer of RQ's script

    def cancel(self, job_id: str, engine: str, lane: Lane, merchant_id: str) -> None:
        """Removes a job from its queue; a running one sees the flag and stops at its next step."""
        self._redis.set(contract.cancel_key(job_id), "1", ex=contract.CANCEL_TTL_S)
        self.take_out(job_id, engine, lane, merchant_id)

    def take_out(self, job_id: str, engine: str, lane: Lane, merchant_id: str) -> None:
        """Removes a job from its queue; a running one goes on to its end."""
        queue = self._queue(contract.queue_name(engine, lane, merchant_id))
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hdel(contract.turns_key(queue.name), job_id)
            pipe.lrem(queue.key, 0, job_id)
            _, removed = pipe.execute()
        if removed:  # else a worker may have it, and needs RQ's hash
            self._redis.delete(RqJob.key_for(job_id))

    def opening(self, engine: str, merchant_id: str, turn: str, lane: Lane = Lane.LIVE) -> Opening:
        """Where one more job with this turn (`contract.turn_of`) would join the queue."""
        merchants = self._ring(engine, lane)
        if merchant_id not in merchants:
            merchants.append(merchant_id)
        own = self._queue(contract.queue_name(engine, lane, merchant_id))
        with self._redis.pipeline(transaction=True) as pipe:
            for merchant in merchants:
                pipe.llen(self._queue(contract.queue_name(engine, lane, merchant)).key)
            turns = contract.turns_key(own.name)
            pipe.eval(contract.BEFORE_NEXT, 2, own.key, turns, turn)
            *lengths, before = pipe.execute()
        return Opening(lengths, merchants.index(merchant_id), before)

    def line(self, engine: str, lane: Lane = Lane.LIVE) -> Line:
        """Everything that waits for an engine in one lane, at one moment."""
        merchants = self._ring(engine, lane)
        with self._redis.pipeline(transaction=True) as pipe:
            for merchant_id in merchants:
                queue = self._queue(contract.queue_name(engine, lane, merchant_id))
                pipe.lrange(queue.key, 0, -1)
            lists = pipe.execute()
        waiting = [(m, [i.decode() for i in ids]) for m, ids in zip(merchants, lists, strict=True)]
        return Line([(m, ids) for m, ids in waiting if ids])

    def _ring(self, engine: str, lane: Lane) -> list[str]:
        members = read_list(self._redis, contract.ring_key(engine, lane))
        return [member.decode() for member in members]

    def claimed(self, engine: str) -> set[str]:
        """Ids of an engine's jobs that workers hold: those that run or still fetch inputs."""
        keys = read_set(self._redis, Queue.redis_queues_keys)
        names = [key.decode().removeprefix(Queue.redis_queue_namespace_prefix) for key in keys]
        with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                if name.startswith(f"{engine}:"):
                    pipe.zrange(StartedJobRegistry(queue=self._queue(name)).key, 0, -1)
            members = [member for found in pipe.execute() for member in found]
        # RQ's members are `<job id>:<execution id>`.
        return {member.decode().split(":")[0] for member in members}

    def standing(self, queue_names: Iterable[str]) -> set[str]:
        """Ids of all jobs of these queues that wait or are leased, as one consistent snapshot."""
        found: set[str] = set()
        # A transaction: a job that is handed back in between would be in neither answer.
        with self._redis.pipeline(transaction=True) as pipe:
            for name in queue_names:
                queue = self._queue(name)
                pipe.lrange(queue.key, 0, -1)
                pipe.zrange(StartedJobRegistry(queue=queue).key, 0, -1)
            for members in pipe.execute():
                found.update(member.decode().split(":")[0] for member in members)
        return found

    def rejoin(self, places: Iterable[tuple[str, Lane, str]]) -> None:
        """Makes sure that these (engine, lane, merchant) are in their rings; wakes their workers.
        Jobs of a merchant outside its ring would never be claimed."""
        with self._redis.pipeline(transaction=True) as pipe:
            for engine, lane, merchant_id in places:
                pipe.eval(contract.JOIN_RING, 1, contract.ring_key(engine, lane), merchant_id)
                pipe.lpush(contract.bell_key(engine), "1")
                pipe.ltrim(contract.bell_key(engine), 0, contract.BELL_LENGTH - 1)
            pipe.execute()

    def policy(self, engine: str) -> Policy | None:
        """The arbitrator's policy for an engine; None without an arbitrator."""
        return Policy.from_redis(read_hash(self._redis, contract.policy_key(engine)))

    def _queue(self, name: str) -> Queue:
        return Queue(
            name,
            connection=self._redis,
            serializer=JSONSerializer,
            default_timeout=JOB_TIMEOUT_S,
        )


def _prepared(queue: Queue, job: Job) -> RqJob:
    rq_job = queue.create_job(
        contract.function_name(job.KIND),
        args=[job.to_json()],
        job_id=job.id,
        result_ttl=0,
        failure_ttl=FAILED_JOB_TTL_S,
        retry=RqRetry(max=3),
        description=f"{job.KIND} {job.id}",
    )
    queue._prepare_for_queue(rq_job)
    return rq_job


def _hash_fields(rq_job: RqJob) -> list[str | bytes]:
    """The job's Redis hash as RQ itself would store it: field, value, field, value …"""
    fields: list[str | bytes] = []
    for name, value in rq_job.to_dict().items():
        if value is not None:
            fields += [name, value if isinstance(value, (bytes, str)) else str(value)]
    return fields


__all__ = ["Jobs", "Line", "Opening", "RedisError", "connect"]
