"""What the step loop did, as the carrying threads tell it: begun, a partial picture, ended.

Called by the step loop's thread alone. Knows the book; no Redis, no engine.
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
    """Hands on what came of a turn; what became of requests that left meanwhile is not told."""

    def __init__(self, book: Book, carrier: Carrier, tasks: Tasks):
        self._book = book
        self._carrier = carrier
        self._tasks = tasks
        self._pace = Pace()

    def begun(self, progress: Progress) -> None:
        """Else an engine of one step were never seen at work. Nobody watches the tailor."""
        request = self._book.note_begun(progress.id)
        if request is not None and isinstance(request.job, TryOnJob):
            self._tasks.submit(self._carrier.say_running, request, progress)

    def tell(self, turn: Turn) -> None:
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
