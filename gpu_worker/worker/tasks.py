"""The carrying threads: each task is about one request, and its fault is that request's alone.

Knows threads and the log; not what is carried.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Concatenate, ParamSpec

from structlog.contextvars import bound_contextvars

from gpu_worker.contract import tried
from gpu_worker.worker.request import Request

log = logging.getLogger(__name__)

CARRIERS = 16
P = ParamSpec("P")


class Tasks:
    """A pool of threads. What a task raises stands in the log; the request's lease runs out."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(CARRIERS, "carrier")

    def submit(
        self,
        task: Callable[Concatenate[Request, P], None],
        request: Request,
        *args: P.args,
        **options: P.kwargs,
    ) -> None:
        def run() -> None:
            with bound_contextvars(job=request.id):
                error = tried(partial(task, request, *args, **options))
                if error is not None:
                    name = getattr(task, "__name__", "a task")
                    told = request.id, name, request.stage
                    log.error("job %s: %s failed, in stage %s", *told, exc_info=error)

        self._pool.submit(run)

    def close(self) -> None:
        """What has not begun never will; what has is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
