"""The batch worker's main thread: the step loop, the start of the other threads, and the shutdown.

Only the main thread calls the engine's `step`. One thread claims jobs, one waits for wake-ups, one
renews leases, and a pool moves files and settles. A job left unsettled is claimed again once its
lease runs out.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from types import FrameType

from redis.exceptions import RedisError

from gpu_worker.config import Settings
from gpu_worker.contract import Backoff
from gpu_worker.engine import DeviceLostError
from gpu_worker.queue.leases import Leases
from gpu_worker.scheduling.loop import AnySteps, Runner
from gpu_worker.worker.book import Book
from gpu_worker.worker.claimer import BELL_S, Claimer
from gpu_worker.worker.keeper import Keeper
from gpu_worker.worker.policy import PolicyReader
from gpu_worker.worker.report import Reporter
from gpu_worker.worker.rq_side import RqSide
from gpu_worker.worker.signals import NEVER, Signals
from gpu_worker.worker.tasks import Tasks

log = logging.getLogger(__name__)

THREAD_ENDS_S = 2.0
EXIT_DEVICE_LOST = 71


@dataclass(eq=False, slots=True)
class BatchWorker:
    """One worker process, serving one engine until a signal; made by `build_worker`.

    `rq`: its registration with RQ; `stop_at`: deadline of the shutdown, by the monotonic clock.
    `stop` may be called in a signal handler; everything else belongs to the main thread.
    """

    rq: RqSide
    engine: AnySteps
    settings: Settings
    signals: Signals
    leases: Leases
    book: Book
    tasks: Tasks
    runner: Runner
    reader: PolicyReader
    reporter: Reporter
    claimer: Claimer
    keeper: Keeper
    stop_at: float = NEVER
    claiming: Thread = field(init=False)
    threads: Sequence[Thread] = field(init=False)

    def __post_init__(self) -> None:
        loops = (self.claimer.claim_loop, self.claimer.bell_loop, self.keeper.keep_loop)
        self.threads = [Thread(target=loop, name=loop.__name__, daemon=True) for loop in loops]
        self.claiming = self.threads[0]

    # --- the main thread -------------------------------------------------------------------------

    def work(self) -> bool:
        """Serves until a signal."""
        signal.signal(signal.SIGTERM, self.request_stop)
        signal.signal(signal.SIGINT, self.request_stop)
        return self.serve()

    def serve(self) -> bool:
        """Serves until `stop`, then hands back what is unfinished. Returns False if it was stopped
        before Redis answered.

        Raises:
            DeviceLostError: the device is gone; what is unfinished is back in the queues or will
                be, and the process must end.
        """
        self.engine.warm_up()  # before the registration: what is claimed must not wait for it
        if not self._reach_redis():
            return False
        for thread in self.threads:
            thread.start()
        log.info("ready: worker %s, engine %s", self.rq.name, self.engine.name)
        try:
            self._step_loop()
        except DeviceLostError:
            self._claim_no_more()  # or this worker itself could claim the abandoned jobs again
            self._abandon(self.runner.at_work)
            raise
        finally:
            self._leave()
        return True

    def request_stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """First call: finish what runs within `grace_s`, then hand back the rest. Second call:
        hand back everything now."""
        again = self.signals.stopping.is_set()
        self.stop_at = 0.0 if again else time.monotonic() + self.settings.grace_s
        self.signals.stopping.set()

    def _reach_redis(self) -> bool:
        """Registers in Redis, with retries and back-off. False: `stop` was called meanwhile."""
        away_says = "Redis is not there yet, waiting %(rest_s).1f s: %(error)s"
        backoff = Backoff(log, (RedisError,), away_says, 0.1, 5.0)
        while not self.signals.stopping.is_set():
            try:
                self.keeper.say_hello()
                return True
            except RedisError as error:
                self.signals.stopping.wait(backoff.pause_s(error))
        return False

    def _step_loop(self) -> None:
        stopping = self.signals.stopping
        while not stopping.is_set() or (len(self.runner) and self._may_go_on()):
            # Before `_join`: a job claimed here again joins only after its earlier run was removed.
            for job_id in self.book.take_left():
                self.runner.remove(job_id)
                self.reporter.forget(job_id)
            self._join()
            self.signals.stepping_since = time.monotonic()
            turn = self.runner.turn(self.reader.current.slots)
            self.signals.stepping_since = NEVER
            self.reporter.tell(turn)
            if not len(self.runner):
                self.book.wait_for_work(BELL_S)

    def _may_go_on(self) -> bool:
        """The first 7 tenths of the grace are for steps, the rest for storing and settling."""
        return time.monotonic() < self.stop_at - 0.3 * self.settings.grace_s

    def _join(self) -> None:
        if self.signals.stopping.is_set():
            return
        policy = self.reader.current
        if not len(self.runner):  # only an idle engine waits for a fuller first batch
            self.book.gather(policy.slots, policy.max_wait_s)
        for request in self.book.take_ready():
            self.runner.add(request.admit(policy.tier, self.settings.partials))

    # --- the end ---------------------------------------------------------------------------------

    def _abandon(self, ids: Sequence[str]) -> None:
        """Drops the leases of the jobs in the call that lost the device, as if the worker had died:
        any of them may be the poison message, so each counts a loss. `_leave` hands back the
        others, which count none."""
        log.critical("the device is lost, with %d jobs at work: ending", len(ids))
        held = [request for request in self.book.all() if request.id in ids]
        suspects = [request for request in held if self.book.start_leaving(request)]
        with suppress(RedisError):
            self.leases.abandon([request.claim for request in suspects])
        for request in suspects:
            self.book.forget(request)

    def _claim_no_more(self) -> None:
        self.signals.stopping.set()
        self.claiming.join(THREAD_ENDS_S)

    def _leave(self) -> None:
        """The shutdown: hands back unfinished jobs, waits for those being stored and settled, then
        stops the threads and takes back the registration."""
        self.stop_at = min(self.stop_at, time.monotonic() + self.settings.grace_s)
        self._claim_no_more()  # a job claimed after `_hand_back` would wait for its lease to end
        handed_back = self._hand_back()
        while len(self.book) and time.monotonic() < self.stop_at:
            self.book.wait(0.1)
        self.signals.ended.set()
        for thread in self.threads:  # a heartbeat after `say_goodbye` would register it again
            thread.join(THREAD_ENDS_S)
        self.keeper.say_goodbye()
        self.tasks.close()
        log.info("ended: handed %d jobs back", handed_back + len(self.book))

    def _hand_back(self) -> int:
        held = self.book.all()
        unfinished = [request for request in held if self.book.start_leaving(request)]
        with suppress(RedisError):
            self.leases.hand_back([request.claim for request in unfinished])
        for request in unfinished:
            self.book.forget(request)
        return len(unfinished)
