"""Reads RQ's registries all the time, as dashboards do: `python -m tests.faults.reader`.

Every read also runs RQ's own cleanup, which removes jobs that it takes for abandoned.
"""

from __future__ import annotations

import os
import time

from redis import Redis
from rq import Queue, Worker
from rq.serializers import JSONSerializer

PAUSE_S = 0.05


def look(redis: Redis) -> int:
    seen = len(Worker.all(connection=redis))
    for queue in Queue.all(connection=redis, serializer=JSONSerializer):
        seen += len(queue.started_job_registry) + len(queue.failed_job_registry)
        seen += len(queue.finished_job_registry) + len(queue.deferred_job_registry)
        seen += len(queue.started_job_registry.get_job_ids()) + queue.count
    return seen


if __name__ == "__main__":
    while True:
        look(Redis.from_url(os.environ["REDIS_URL"]))
        time.sleep(PAUSE_S)
