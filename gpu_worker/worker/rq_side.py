"""RQ's worker, adapted to many jobs at once, so that RQ's dashboards and commands stay right.

Knows RQ 2.12's internals (hence its exact pin). No engine, no pictures.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from redis import Redis
from redis.client import Pipeline, PubSub, PubSubWorkerThread
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker, worker_registration
from rq.command import parse_payload
from rq.executions import Execution
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer
from rq.suspension import is_suspended
from rq.utils import now as rq_now
from rq.worker import WorkerStatus

from gpu_worker import contract
from gpu_worker.queue.leases import Claim
from gpu_worker.worker.known_job import KnownJob, KnownQueue

WORKER_TTL_S = 60


class RqSide(SimpleWorker):
    """This worker as RQ knows it: registration, state and settling, without RQ's own work loop.

    It has no fixed queues and never forks. `settle` may run in several threads at once.
    """

    def __init__(self, connection: Redis, name: str):
        self._acting = threading.local()
        super().__init__(
            [],
            name=name,
            connection=connection,
            serializer=JSONSerializer,
            default_result_ttl=0,
            worker_ttl=WORKER_TTL_S,
            log_job_description=False,
        )

    def _set_connection(self, connection: Redis) -> Redis:
        return connection  # RQ would stretch the timeout to minutes; ours stays short

    # RQ's worker has one current execution; here each thread has its own.

    @property
    def execution(self) -> Execution | None:
        return getattr(self._acting, "execution", None)

    @execution.setter
    def execution(self, execution: Execution | None) -> None:
        self._acting.execution = execution

    @contextmanager
    def _as(self, claim: Claim) -> Iterator[Queue]:
        self.execution = Execution(claim.execution_id, claim.job_id, self.connection, self.name)
        try:
            yield self._queue(claim.queue)
        finally:
            self.execution = None

    def cleanup_execution(self, job: RqJob, pipeline: Pipeline) -> None:
        if self.execution is not None:
            pipeline.delete(contract.lease_key(self.execution.composite_key))
        pipeline.delete(contract.cancel_key(job.id))
        super().cleanup_execution(job, pipeline)

    def _set_ip_address(self, _connection: Redis) -> None:
        self.ip_address = "unknown"  # RQ would ask Redis, which may not be there yet

    def say_hello(self, stop_job: Callable[[str], bool]) -> None:
        """Registers with RQ and subscribes to its commands. `stop_job`: called for `stop-job` in
        RQ's thread; cancels a job of this worker and returns whether it did.

        Raises:
            RedisError: Redis is not there.
        """
        self._stop_job = stop_job
        super()._set_ip_address(self.connection)
        self.register_birth()  # type: ignore[no-untyped-call]
        self.subscribe()  # type: ignore[no-untyped-call]
        self.set_state(WorkerStatus.IDLE)

    def say_goodbye(self) -> None:
        self.register_death()  # type: ignore[no-untyped-call]
        self.unsubscribe()  # type: ignore[no-untyped-call]

    def fetch(self, claims: Sequence[Claim]) -> list[RqJob | None]:
        ids = [claim.job_id for claim in claims]
        return KnownJob.fetch_many(ids, self.connection, serializer=JSONSerializer)

    def start(self, rq_jobs: Sequence[RqJob]) -> None:
        """Marks these jobs `started` in RQ, all in one transaction."""
        with self.connection.pipeline() as pipeline:
            self.set_state(WorkerStatus.BUSY, pipeline)
            self.set_current_job_id(rq_jobs[0].id, pipeline)
            for rq_job in rq_jobs:
                rq_job.prepare_for_execution(self.name, pipeline)
            pipeline.execute()

    def settle(self, claim: Claim, rq_job: RqJob, failed: str | None) -> None:
        """Ends a job in RQ. `failed`: the error, and RQ must not retry; None: it succeeded."""
        rq_job.started_at = rq_job.started_at or rq_now()
        rq_job.ended_at = rq_now()
        with self._as(claim) as queue:
            if isinstance(rq_job, KnownJob):
                rq_job.held_by = self.execution
            if failed is None:
                self.handle_job_success(rq_job, queue, queue.started_job_registry)
            else:
                rq_job.retries_left = 0
                self.handle_job_failure(rq_job, queue, exc_string=failed)

    def say_how(self, is_busy: bool) -> None:
        """Sets RQ's worker state (busy, idle, suspended), which RQ itself sets only in its own work
        loop."""
        resting = WorkerStatus.SUSPENDED if is_suspended(self.connection) else WorkerStatus.IDLE
        state = WorkerStatus.BUSY if is_busy else resting
        if self.get_state() != state:
            self.set_state(state)

    def say_alive(self, engine: str) -> None:
        """RQ's heartbeat: writes the whole registration, in case Redis lost it, and the queues of
        this engine."""
        self.last_heartbeat = rq_now()
        self.queues = [queue for queue in self._all_queues() if queue.name.startswith(f"{engine}:")]
        with self.connection.pipeline() as pipeline:
            pipeline.hset(self.key, mapping=self.serialize())
            pipeline.expire(self.key, WORKER_TTL_S)
            worker_registration.register(self, pipeline)
            pipeline.execute()

    def _all_queues(self) -> list[Queue]:
        return Queue.all(connection=self.connection, serializer=JSONSerializer)

    def _queue(self, name: str) -> Queue:
        return KnownQueue(name, connection=self.connection, serializer=JSONSerializer)

    # --- RQ's commands ---------------------------------------------------------------------------

    def handle_payload(self, message: dict[str, object]) -> None:
        payload = parse_payload(message)
        is_stop = payload.get("command") == "stop-job"
        if is_stop and self._stop_job(str(payload.get("job_id"))):
            return
        super().handle_payload(message)  # type: ignore[no-untyped-call]

    def _pubsub_exception_handler(
        self, error: Exception, _pubsub: PubSub, _thread: PubSubWorkerThread
    ) -> None:
        """Keeps the command thread running; RQ's own handler ends it at any timeout, and `stop-job`
        would never work again."""
        if not isinstance(error, RedisError):
            raise error
        self._pause_commands()

    def _pause_commands(self) -> None:
        threading.Event().wait(1)
