"""All requests of a worker and the moves between their stages (finite state machine), in one lock.

Memory and locks only: no Redis, no engine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from gpu_worker.contract import Lane
from gpu_worker.queue.leases import Capacity
from gpu_worker.worker.bill import Bill
from gpu_worker.worker.request import Request, Stage

SLOW_S = 0.5  # fetching for longer than this, a request keeps no slot from other merchants


class Book:
    """The requests that this worker holds. Thread-safe; all threads of the worker share it.

    A request leaves once: the thread that gets True from `start_leaving` reports its end or hands
    it back, then calls `forget`. `bill` is told what each cost; `beside(live, slots)`: how many
    bulk samples may run beside so many live ones.
    """

    def __init__(
        self,
        bill: Bill,
        beside: Callable[[int, int], int] = lambda live, slots: slots - live,
    ) -> None:
        self._bill = bill
        self._beside = beside
        self._held: dict[str, Request] = {}
        self._ready: list[Request] = []
        self._left: set[str] = set()
        self._rang = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        with self._changed:
            return len(self._held)

    def get(self, job_id: str) -> Request | None:
        with self._changed:
            return self._held.get(job_id)

    def all(self) -> list[Request]:
        with self._changed:
            return list(self._held.values())

    # --- moves of a request ----------------------------------------------------------------------

    def add(self, request: Request) -> None:
        """Takes a request in. If its job was held here before, lost and claimed again, the earlier
        request is gone, and the step loop is to remove its run."""
        with self._changed:
            earlier = self._held.get(request.id)
            if earlier is not None:
                self._leave(earlier)
                earlier.move(Stage.GONE)
                self._changed.notify_all()
            self._held[request.id] = request

    def take_suspect(self) -> Request | None:
        """A suspect to start now, moved to FETCHING; None unless only waiting suspects are held, so
        that one runs alone."""
        with self._changed:
            request = next(iter(self._held.values()), None)
            others = (other.stage is Stage.SUSPECT for other in self._held.values())
            if request is None or not all(others):
                return None
            request.move(Stage.FETCHING)
            return request

    def arrive(self, request: Request, order: object) -> None:
        """Moves FETCHING -> READY: its inputs are here. Nothing if it left meanwhile."""
        with self._changed:
            if request.is_ours:
                request.move(Stage.READY)
                request.order = order
                self._ready.append(request)
            self._changed.notify_all()

    def take_ready(self) -> list[Request]:
        """Moves READY -> RUNNING: the requests that join the step loop now.

        One whose id is in `_left` waits for a later turn: the loop knows runs by id, and would
        remove the new run instead of the earlier one.
        """
        with self._changed:
            wanted = [request for request in self._ready if request.is_ours]
            self._ready = [request for request in wanted if request.id in self._left]
            joining = [request for request in wanted if request.id not in self._left]
            for request in joining:
                request.move(Stage.RUNNING)
            return joining

    def note_begun(self, job_id: str) -> Request | None:
        """The request that was admitted; back from LAST_STEP to RUNNING if its batch raised and it
        begins again. None if it is gone."""
        with self._changed:
            request = self._held.get(job_id)
            if request is not None and request.stage is Stage.LAST_STEP:
                request.move(Stage.RUNNING)
            return request

    def note_last_step(self, ids: Iterable[str]) -> None:
        """Moves RUNNING -> LAST_STEP: jobs for their slots may be claimed."""
        with self._changed:
            for job_id in ids:
                request = self._held.get(job_id)
                if request is not None and request.stage is Stage.RUNNING:
                    request.move(Stage.LAST_STEP)
            self._changed.notify_all()

    def start_leaving(self, request: Request) -> bool:
        """Moves to LEAVING. True for the first thread that asks, which then owns the request's end;
        the step loop removes its run before the next step."""
        with self._changed:
            # `is not`: a later claim of the same job may have taken its place
            if not request.is_ours or self._held.get(request.id) is not request:
                return False
            self._leave(request)
            self._changed.notify_all()
            return True

    def _leave(self, request: Request) -> None:
        if request.is_ours:
            request.move(Stage.LEAVING)
            self._left.add(request.id)

    def forget(self, request: Request) -> None:
        """Moves LEAVING -> GONE and bills it. For the thread that got True from `start_leaving`."""
        with self._changed:
            if request.stage is Stage.GONE:
                return  # `add` replaced it by a later claim of the same job
            request.move(Stage.GONE)
            request.order = None
            del self._held[request.id]
            self._changed.notify_all()
        self._bill.close(request.claim, request.spent_ms)

    def take_left(self) -> set[str]:
        """Ids whose runs the step loop must remove; each is returned once."""
        with self._changed:
            left, self._left = self._left, set()
            return left

    # --- costs -----------------------------------------------------------------------------------

    def spend(self, spent: Mapping[str, float]) -> None:
        """Adds ms of the engine's time to these requests."""
        with self._changed:
            for job_id, ms in spent.items():
                if job_id in self._held:
                    self._held[job_id].spent_ms += ms

    def charge(self, request: Request, ms: float) -> None:
        """Adds ms of work on its inputs; also for a request that was cancelled meanwhile, or
        cancelling would make work free."""
        with self._changed:
            is_here = self._held.get(request.id) is request
            request.spent_ms += ms if is_here else 0
        if not is_here:
            self._bill.add(request.claim, ms)

    # --- room and waiting ------------------------------------------------------------------------

    def room(self, slots: int) -> Capacity:
        """How many jobs may be claimed now (prefetch limit).

        - `live`: a slot without a live request; one that bulk holds counts, as live pre-empts it.
        - `both`: beside live requests, only as much bulk as will run; another worker may have more
          room for the rest.
        - `bulk_at_least`: one bulk request may always be here, for the time that bulk is owed.
        - `newcomers`: when live requests fill all slots, one job each of merchants who have none
          here, for slots that are fairly theirs. With 4 slots all of merchant A: 3. With 4 of four
          merchants, two of them slow to fetch: 2.

        In all at most three times the slots are held, so that a slow store cannot fill the memory.
        None beside a suspect: if it kills the process, no other job shall count a loss.
        """
        with self._changed:
            if any(request.claim.runs_alone for request in self._held.values()):
                return Capacity(0, 0, 0)
            busy = [request for request in self._held.values() if request.needs_slot]
            most = max(0, 3 * slots - len(self._held))
            live = [request for request in busy if request.claim.lane is Lane.LIVE]
            fitting = len(live) + self._beside(len(live), slots) if live else slots
            here = frozenset(request.claim.merchant for request in live)
            taken = min(len(here), sum(not self._is_slow(request) for request in live))
            return Capacity(
                live=min(most, max(0, slots - len(live))),
                both=min(most, max(0, fitting - len(busy))),
                bulk_at_least=int(len(live) == len(busy) and most > 0),
                newcomers=min(most, max(0, slots - taken)) if len(live) >= slots else 0,
                here=here,
            )

    def _is_slow(self, request: Request) -> bool:
        is_late = time.monotonic() - request.claimed_at > SLOW_S
        return is_late and request.stage is Stage.FETCHING

    def wait(self, timeout_s: float) -> None:
        """Blocks until something changes, at most `timeout_s`."""
        with self._changed:
            self._changed.wait(timeout_s)

    def ring(self) -> None:
        """A job was enqueued: ends a `wait_for_room`."""
        with self._changed:
            self._rang = True
            self._changed.notify_all()

    def wait_for_room(self, slots: int, beyond: Capacity, timeout_s: float) -> None:
        """Blocks until there is more room than `beyond`, or `ring` was called."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._rang or self.room(slots).exceeds(beyond), timeout_s
            )
            self._rang = False

    def wait_for_work(self, timeout_s: float) -> None:
        """Blocks the idle step loop until something changes."""
        with self._changed:
            if not self._ready and not self._left:
                self._changed.wait(timeout_s)

    def gather(self, slots: int, max_wait_s: float) -> None:
        """Waits up to `max_wait_s` for requests being fetched, so that they share the first step
        with one that is ready. Returns at once if no such request would get a slot."""
        until = time.monotonic() + max_wait_s
        with self._changed:
            while self._ready and self._is_worth_waiting(slots):
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return

    def _is_worth_waiting(self, slots: int) -> bool:
        """Whether a request being fetched would get a slot: live ones before any bulk."""
        fetching = [r for r in self._held.values() if r.stage is Stage.FETCHING]
        coming = [request.claim.lane for request in fetching]
        here = [request.claim.lane for request in self._ready]
        if Lane.LIVE in coming:
            return here.count(Lane.LIVE) < slots
        return bool(coming) and len(here) < slots
