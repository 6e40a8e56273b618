"""The threads of a batch worker and how jobs pass between them.

The main thread is the engine's and runs the step loop; one thread claims, one hears the bell for
it, one keeps leases and looks for cancellations, a pool carries pictures and settles. A job that
nobody settles comes back by itself when its lease runs out.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread
from types import FrameType
from typing import Any
from uuid import uuid4

from redis import Redis
from redis.exceptions import RedisError

from gpu_worker import contract
from gpu_worker.config import Settings
from gpu_worker.contract import Lane, TryOnJob
from gpu_worker.engine import DeviceLostError
from gpu_worker.queue.events import Events, Pace
from gpu_worker.queue.leases import ANY_NUMBER, Leases
from gpu_worker.scheduling.loop import Progress, Runner, Steps, Turn
from gpu_worker.scheduling.plan import Scheduler, bulk_beside
from gpu_worker.storage.courier import Courier
from gpu_worker.worker.bill import Bill
from gpu_worker.worker.book import Book
from gpu_worker.worker.carrier import Carrier
from gpu_worker.worker.claimer import BELL_S, Claimer
from gpu_worker.worker.policy import PolicyReader
from gpu_worker.worker.request import Request
from gpu_worker.worker.rhythm import Rhythm
from gpu_worker.worker.rq_side import RqSide

log = logging.getLogger("proteus.worker")

WATCH_S = 0.1
POLICY_S = 0.5
BEAT_S = 3.0
THREAD_ENDS_S = 2.0
ABOUT_S = 0.5
CARRIERS = 16
EXIT_HUNG = 70
EXIT_DEVICE_LOST = 71


class BatchWorker(RqSide):
    """Serves one engine until told to stop."""

    def __init__(self, connection: Redis, engine: Steps, courier: Courier, settings: Settings):
        host = socket.gethostname().replace(".", "-")
        super().__init__(connection, f"{engine.name}-{host}-{os.getpid()}-{uuid4().hex[:8]}")
        self._engine = engine
        self._settings = settings
        each = getattr(engine, "per_merchant", ANY_NUMBER)
        self._leases = Leases(connection, engine.name, self.name, settings.lease_s, each)
        self._pace = Pace()
        self._bill = Bill()
        self._book = Book(self._bill, self._beside)
        self._carrier = Carrier(
            courier,
            self._book,
            self._leases,
            Events(connection),
            self.settle,
            lambda: self._claimer.pause(),  # noqa: PLW0108 it is made below
            settings.lease_s,
        )
        self._runner = Runner(
            engine, Scheduler(), courier.renew, self._book.note_last_step, self._say_begun
        )
        self._reader = PolicyReader(connection, engine, settings)
        self._policy = self._reader.first()
        self._carriers = ThreadPoolExecutor(CARRIERS, "carrier")
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._stop_at = float("inf")
        self._busy_since = float("inf")
        self._rhythm = Rhythm()
        self._claimer = Claimer(
            self,
            self._leases,
            self._book,
            self._bill,
            self._carrier,
            bell=contract.bell_key(engine.name),
            submit=self._carriers.submit,
            slots=lambda: self._policy.slots,
            maintenance_s=settings.maintenance_s,
            stopping=self._stopping,
        )

        loops = (self._claimer.claim_loop, self._claimer.bell_loop, self._keep_loop)
        self._threads = [Thread(target=loop, name=loop.__name__, daemon=True) for loop in loops]
        self._claiming = self._threads[0]

    # --- the main thread -------------------------------------------------------------------------

    def work(self, *_args: Any, **_options: Any) -> bool:
        """Serves until a signal. RQ's options do not apply."""
        signal.signal(signal.SIGTERM, self.request_stop)
        signal.signal(signal.SIGINT, self.request_stop)
        return self.serve()

    def serve(self) -> bool:
        """Serves until `stop`, then hands back what is unfinished.

        Raises:
            DeviceLostError: nothing can be drawn here any more; what is unfinished is handed back.
        """
        self._engine.warm_up()
        if not self._reach_redis():
            return False
        for thread in self._threads:
            thread.start()
        log.info("ready: worker %s, engine %s", self.name, self._engine.name)
        try:
            self._step_loop()
        except DeviceLostError:
            self._claim_no_more()  # or we would take up ourselves what we let go of
            self._abandon(self._runner.at_work)
            raise
        finally:
            self._leave()
        return True

    def request_stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """First time: finish what runs and hand back the rest. Second: hand back all, now."""
        again = self._stopping.is_set()
        self._stop_at = 0.0 if again else time.monotonic() + self._settings.grace_s
        self._stopping.set()

    def _reach_redis(self) -> bool:
        """Knocks, ever more slowly, until Redis lets us register or we are told to stop."""
        pause = 0.1
        while not self._stopping.is_set():
            try:
                self.say_hello()
                self.say_alive(self._engine.name)
                self._read_policy()
                self._say_about()
                return True
            except RedisError as error:
                log.warning("Redis is not there yet, waiting %.1f s: %s", pause, error)
                self._stopping.wait(pause)
                pause = min(pause * 2, 5)
        return False

    def _step_loop(self) -> None:
        while not self._stopping.is_set() or (len(self._runner) and self._may_go_on()):
            for job_id in self._book.take_left():
                self._runner.remove(job_id)
                self._pace.forget(job_id)
            self._join()
            self._busy_since = time.monotonic()
            turn = self._runner.turn(self._policy.slots)
            self._busy_since = float("inf")
            self._report(turn)
            if not len(self._runner):
                self._book.wait_for_work(BELL_S)

    def _may_go_on(self) -> bool:
        """The engine has the first 7 tenths of the grace, storing and settling the rest."""
        return time.monotonic() < self._stop_at - 0.3 * self._settings.grace_s

    def _join(self) -> None:
        if self._stopping.is_set():
            return
        if not len(self._runner):
            self._book.gather(self._policy.slots, self._policy.max_wait_s)
        for held in self._book.take_ready():
            self._runner.add(held.admit(self._policy.tier, self._settings.peeks))

    def _beside(self, live: int, slots: int) -> int:
        return bulk_beside(live, slots, self._runner.metrics.curve(self._policy.tier.size))

    def _say_begun(self, progress: Progress) -> None:
        """Else an engine of one step were never seen at work. Nobody watches the tailor."""
        held = self._book.note_begun(progress.id)
        if held is not None and isinstance(held.job, TryOnJob):
            self._carriers.submit(self._carrier.say_running, held, progress)

    def _report(self, turn: Turn) -> None:
        now = time.monotonic()
        self._book.spend(turn.spent)
        for peek in turn.peeks:
            held = self._book.get(peek.id)
            if held is not None:
                self._carriers.submit(self._carrier.sketch, held, peek.pixels)
        for progress in turn.progress:
            held = self._book.get(progress.id)
            if held is not None and self._pace.is_due(held.id, now):
                self._carriers.submit(self._carrier.say_running, held, progress)
        for finished in turn.finished:
            held = self._book.get(finished.id)
            self._pace.forget(finished.id)
            if held is not None and self._book.start_leaving(held):
                self._carriers.submit(self._carrier.conclude, held, finished)

    # --- the keeping thread ----------------------------------------------------------------------

    def _keep_loop(self) -> None:
        while not self._ended.wait(WATCH_S):
            self._end_if_hung()
            try:
                self._watch()
            except RedisError as error:
                log.warning("keeping: %s", error)
            except Exception:
                log.exception("keeping")

    def _watch(self) -> None:
        self._take_out_cancelled()
        if self._rhythm.is_due("policy", POLICY_S):
            self._read_policy()
        if self._rhythm.is_due("lease", self._settings.lease_s / 3):
            self._keep_leases()
        if self._rhythm.is_due("beat", BEAT_S):
            self.say_alive(self._engine.name)
        if self._rhythm.is_due("about", ABOUT_S):
            self._say_about()
            self.say_how(bool(len(self._book)))
            self._settle_the_bill()

    def _end_if_hung(self) -> None:
        """No signal can interrupt a hung kernel; the lease brings its jobs to another worker."""
        since = min(self._busy_since, self._runner.busy_beside_since)
        if time.monotonic() - since > self._settings.hard_deadline_s:
            log.critical("a step hangs for %s s: ending", self._settings.hard_deadline_s)
            os._exit(EXIT_HUNG)

    def _take_out_cancelled(self) -> None:
        held = self._book.all()
        if not held:
            return
        flags = self.connection.mget([contract.cancel_key(one.id) for one in held])
        for one, flag in zip(held, flags, strict=True):
            if flag is not None:
                self._cancel(one)

    def _cancel(self, held: Request) -> bool:
        if not self._book.start_leaving(held):
            return False
        self._carriers.submit(self._carrier.cancel, held)
        return True

    def stop_job(self, job_id: str) -> bool:
        held = self._book.get(job_id)
        return held is not None and self._cancel(held)

    def _keep_leases(self) -> None:
        held = {one.id: one for one in self._book.all()}
        for job_id in self._leases.keep([one.claim for one in held.values()]):
            if self._book.start_leaving(held[job_id]):  # else it was settled this very moment
                log.warning("job %s: its lease is lost", job_id)
                self._book.forget(held[job_id])

    def _read_policy(self) -> None:
        self._policy = self._reader.read(time.time())

    def _say_about(self) -> None:
        """The arbitrator reads it as often as it decides."""
        about: dict[Any, Any] = {
            **self._expected_steps(),
            **self._runner.metrics.snapshot(),
            "engine": self._engine.name,
            "licence": self._engine.licence,
            "is_preview": int(self._engine.is_preview),
            "device": self._engine.device,
            "max_slots": self._engine.max_slots,
            "slots": self._policy.slots,
            "tier": self._policy.tier.name,
            "pid": os.getpid(),
            "held": len(self._book),
            "live": sum(held.claim.lane is Lane.LIVE for held in self._book.all()),
            "running": len(self._runner),
            "ts": round(time.time(), 3),
        }
        key = contract.worker_key(self.name)
        with self.connection.pipeline() as pipeline:
            pipeline.hset(key, mapping=about)
            pipeline.expire(key, contract.WORKER_TTL_S)
            pipeline.execute()

    def _expected_steps(self) -> dict[str, int]:
        """Until they are measured: after a restart the law remembers what a step takes, and without
        these it would take an engine of one step for one of fifty."""
        return {f"steps:{tier.name}": self._engine.steps_of(tier) for tier in self._settings.tiers}

    def _settle_the_bill(self) -> None:
        self._leases.charge(self._bill.take())

    # --- the end ---------------------------------------------------------------------------------

    def _abandon(self, ids: Sequence[str]) -> None:
        """They may be what the device died of: they come back like those of a dead worker, and
        soon run alone. Who was not at work is handed back without a mark."""
        log.critical("the device is lost, with %d jobs at work: ending", len(ids))
        held = [one for one in self._book.all() if one.id in ids]
        suspects = [one for one in held if self._book.start_leaving(one)]
        with suppress(RedisError):
            self._leases.abandon([one.claim for one in suspects])
        for one in suspects:
            self._book.forget(one)

    def _claim_no_more(self) -> None:
        self._stopping.set()
        self._claiming.join(THREAD_ENDS_S)

    def _leave(self) -> None:
        """Hands back what nobody finished, waits for what is on its way out, says good-bye."""
        self._stop_at = min(self._stop_at, time.monotonic() + self._settings.grace_s)
        self._claim_no_more()  # or a last claim would be nobody's until its lease ends
        unfinished = [held for held in self._book.all() if self._book.start_leaving(held)]
        with suppress(RedisError):
            self._leases.hand_back([held.claim for held in unfinished])
        for held in unfinished:
            self._book.forget(held)
        while len(self._book) and time.monotonic() < self._stop_at:
            self._book.wait(0.1)
        self._ended.set()
        for thread in self._threads:  # a last heartbeat after the good-bye would register us anew
            thread.join(THREAD_ENDS_S)
        with suppress(RedisError):
            self._leases.hand_back([held.claim for held in self._book.all()])
            self._settle_the_bill()
            self.connection.delete(contract.worker_key(self.name))
            self.say_goodbye()
        self._carriers.shutdown(wait=False, cancel_futures=True)
        log.info("ended: handed %d jobs back", len(unfinished) + len(self._book))
