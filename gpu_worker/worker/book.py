"""The requests that a worker holds, shared by its threads: who is coming, who runs, who is leaving.

Memory and locks only: no Redis, no engine. Every move of a request is made here, in one lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from gpu_worker.contract import Lane
from gpu_worker.queue.leases import Capacity
from gpu_worker.worker.bill import Bill
from gpu_worker.worker.request import Request, Stage

SLOW_S = 0.5  # inputs that are longer on their way hold no slot against other merchants


class Book:
    """Thread-safe. A request leaves once: whoever gets True from `start_leaving` tells its end.
    `bill` hears what each cost; `beside(live, slots)`: how many bulk samples may run beside so
    many live ones."""

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

    # --- its moves -------------------------------------------------------------------------------

    def add(self, request: Request) -> None:
        """One that was lost, recovered and claimed again here drives its earlier self out."""
        with self._changed:
            earlier = self._held.get(request.id)
            if earlier is not None:
                self._leave(earlier)
                earlier.move(Stage.GONE)
                self._changed.notify_all()
            self._held[request.id] = request

    def take_suspect(self) -> Request | None:
        """A suspect whose time has come: nobody is here but suspects."""
        with self._changed:
            request = next(iter(self._held.values()), None)
            others = (other.stage is Stage.SUSPECT for other in self._held.values())
            if request is None or not all(others):
                return None
            request.move(Stage.FETCHING)
            return request

    def arrive(self, request: Request, order: object) -> None:
        """Its inputs are here: it may join the next step, unless it left meanwhile."""
        with self._changed:
            if request.is_ours:
                request.move(Stage.READY)
                request.order = order
                self._ready.append(request)
            self._changed.notify_all()

    def take_ready(self) -> list[Request]:
        """Who is still wanted. One whose earlier self must leave the loop first comes later."""
        with self._changed:
            wanted = [request for request in self._ready if request.is_ours]
            self._ready = [request for request in wanted if request.id in self._left]
            joining = [request for request in wanted if request.id not in self._left]
            for request in joining:
                request.move(Stage.RUNNING)
            return joining

    def note_begun(self, job_id: str) -> Request | None:
        """It is before its first step, perhaps once more."""
        with self._changed:
            request = self._held.get(job_id)
            if request is not None and request.stage is Stage.LAST_STEP:
                request.move(Stage.RUNNING)
            return request

    def note_last_step(self, ids: Iterable[str]) -> None:
        with self._changed:
            for job_id in ids:
                request = self._held.get(job_id)
                if request is not None and request.stage is Stage.RUNNING:
                    request.move(Stage.LAST_STEP)
            self._changed.notify_all()

    def start_leaving(self, request: Request) -> bool:
        """True for the first who asks; the step loop forgets it before its next step."""
        with self._changed:
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
        """It is ours no more: for whoever got True from `start_leaving`."""
        with self._changed:
            if request.stage is Stage.GONE:
                return  # its later self drove it out
            request.move(Stage.GONE)
            request.order = None
            del self._held[request.id]
            self._changed.notify_all()
        self._bill.close(request.claim, request.spent_ms)

    def take_left(self) -> set[str]:
        """Who must leave the step loop."""
        with self._changed:
            left, self._left = self._left, set()
            return left

    # --- what it costs ---------------------------------------------------------------------------

    def spend(self, spent: Mapping[str, float]) -> None:
        """So many ms of the engine went to these ids."""
        with self._changed:
            for job_id, ms in spent.items():
                if job_id in self._held:
                    self._held[job_id].spent_ms += ms

    def charge(self, request: Request, ms: float) -> None:
        """So many ms of work on its inputs. To be cancelled meanwhile makes it no cheaper."""
        with self._changed:
            is_here = self._held.get(request.id) is request
            request.spent_ms += ms if is_here else 0
        if not is_here:
            self._bill.add(request.claim, ms)

    # --- room and waiting ------------------------------------------------------------------------

    def room(self, slots: int) -> Capacity:
        """How many jobs may be claimed now.

        A live job may come while bulk fills the slots: it goes first. Beside live jobs only as
        much bulk is taken as will run; another worker may have more room for it. One bulk job may
        always be here, so that it gets its few steps under any flood. Where one merchant has
        several slots, or one whose inputs are slow to come, another may come and get one of them.
        In all no more than three times the slots are held, so that a slow store cannot fill the
        memory. None beside a suspect: if the process dies, nobody else shall be suspected.
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
        """Until something changes."""
        with self._changed:
            self._changed.wait(timeout_s)

    def ring(self) -> None:
        """Somebody enqueued."""
        with self._changed:
            self._rang = True
            self._changed.notify_all()

    def wait_for_room(self, slots: int, beyond: Capacity, timeout_s: float) -> None:
        """Until more could be claimed than `beyond`, or somebody rang."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._rang or self.room(slots).exceeds(beyond), timeout_s
            )
            self._rang = False

    def wait_for_work(self, timeout_s: float) -> None:
        with self._changed:
            if not self._ready and not self._left:
                self._changed.wait(timeout_s)

    def gather(self, slots: int, max_wait_s: float) -> None:
        """Waits for those who are on their way, once somebody is ready; never for one alone."""
        until = time.monotonic() + max_wait_s
        with self._changed:
            while self._ready and self._is_worth_waiting(slots):
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return

    def _is_worth_waiting(self, slots: int) -> bool:
        """Whether somebody is coming who would get a slot now: a live one before any bulk."""
        fetching = [r for r in self._held.values() if r.stage is Stage.FETCHING]
        coming = [request.claim.lane for request in fetching]
        here = [request.claim.lane for request in self._ready]
        if Lane.LIVE in coming:
            return here.count(Lane.LIVE) < slots
        return bool(coming) and len(here) < slots
