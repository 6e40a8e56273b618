"""Turns the step loop's results into tasks of the carrier threads: begun, partial picture, ended.

The step loop's thread alone calls it. Knows the book; no Redis, no engine.
"""

from __future__ import annotations

import time

from gpu_worker.contract import TryOnJob
from gpu_worker.queue.events import Pace
from gpu_worker.scheduling.loop import Finished, Progress, Turn
from gpu_worker.worker.book import Book
from gpu_worker.worker.carrier import Carrier
from gpu_worker.worker.tasks import Tasks


class Reporter:
    """Submits tasks for requests that are still held; results of others are dropped."""

    def __init__(self, book: Book, carrier: Carrier, tasks: Tasks):
        self._book = book
        self._carrier = carrier
        self._tasks = tasks
        self._pace = Pace()

    def begun(self, progress: Progress) -> None:
        """Reports RUNNING before the first step, or with a one-step engine a try-on would go from
        queued to done. Only for try-ons: nobody watches a tailor's job run."""
        request = self._book.note_begun(progress.id)
        if request is not None and isinstance(request.job, TryOnJob):
            self._tasks.submit(self._carrier.say_running, request, progress)

    def tell(self, turn: Turn) -> None:
        """Books the time of a turn and submits a task for each of its results."""
        now = time.monotonic()
        self._book.spend(turn.spent)
        for partial in turn.partials:
            request = self._book.get(partial.id)
            if request is not None:
                self._tasks.submit(self._carrier.store_partial, request, partial.pixels)
        for progress in turn.progress:
            self._stepped(progress, now)
        for finished in turn.finished:
            self._finished(finished)

    def forget(self, job_id: str) -> None:
        """Drops the pace of its `running` events, when the step loop removes it."""
        self._pace.forget(job_id)

    def _stepped(self, progress: Progress, now: float) -> None:
        request = self._book.get(progress.id)
        if request is not None and self._pace.is_due(request.id, now):
            self._tasks.submit(self._carrier.say_running, request, progress)

    def _finished(self, finished: Finished) -> None:
        request = self._book.get(finished.id)
        self.forget(finished.id)
        if request is not None and self._book.start_leaving(request):
            self._tasks.submit(self._carrier.conclude, request, finished)
