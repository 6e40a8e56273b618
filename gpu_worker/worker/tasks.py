"""The carrier threads: a pool for tasks on one request each; a task that raises harms no other.

Knows threads and the log, not what the tasks do.
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
    """The pool. What a task raises is logged and goes no further."""

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
        """Drops the tasks that have not begun, and does not wait for the others."""
        self._pool.shutdown(wait=False, cancel_futures=True)
