"""The jobs a worker holds, shared by its threads: who is coming, who runs, who is leaving.

Memory and locks only: no Redis, no engine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rq.job import Job as RqJob

from gpu_worker.contract import Job, Lane, Tier, TryOnJob
from gpu_worker.queue.leases import Claim, Room
from gpu_worker.scheduling.run import Run

SLOW_S = 0.5  # inputs that are longer on their way hold no slot against other merchants


@dataclass(slots=True, eq=False)
class Held:
    """One job, from claim to settlement."""

    claim: Claim
    rq_job: RqJob
    job: Job
    order: Any = None
    aside: bool = False  # a suspect: untouched until nothing else is held, then it runs alone
    running: bool = False  # it has been given to the runner
    ending: bool = False  # in its last step: its slot is as good as free
    leaving: bool = False  # its end is being told; it needs no slot any more
    tier: Tier | None = None  # the rung it was admitted on
    carry_s: float = 0.0  # spent on its pictures outside the engine: store, decode, encode
    spent_ms: float = 0.0  # what its merchant pays for: the engine's time, work on its inputs
    claimed_at: float = field(default_factory=time.monotonic)
    kept_at: float = float("-inf")  # when its lease was last renewed for telling its end
    telling: threading.Lock = field(default_factory=threading.Lock)  # nothing after the end

    @property
    def id(self) -> str:
        return self.claim.job_id

    @property
    def is_watched(self) -> bool:
        """Whether somebody sees a picture of it grow."""
        return bool(
            isinstance(self.job, TryOnJob) and self.job.partial_key and self.claim.lane is Lane.LIVE
        )

    def admit(self, tier: Tier, peeks: Sequence[float]) -> Run:
        """It joins the runner, on the rung of this moment: whatever comes later, it stays there.

        Only a try-on has rungs. What the tailor does is kept apart by its kind."""
        if isinstance(self.job, TryOnJob):
            self.tier = tier
            self.order = replace(self.order, tier=tier)
        return Run(
            id=self.id,
            lane=self.claim.lane,
            merchant=self.claim.merchant,
            bucket=tier.size if isinstance(self.job, TryOnJob) else self.job.KIND,
            alone=self.claim.runs_alone,
            order=self.order,
            peeks=peeks if self.is_watched else (),
        )


class Book:
    """Thread-safe. A job leaves once: whoever gets True from `start_leaving` tells its end.
    `on_forget` hears of each that is ours no more, `on_late` what it cost after that;
    `beside(live, slots)`: how many bulk samples may run beside so many live ones."""

    def __init__(
        self,
        on_forget: Callable[[Held], None] = lambda _held: None,
        beside: Callable[[int, int], int] = lambda live, slots: slots - live,
        on_late: Callable[[Held, float], None] = lambda _held, _ms: None,
    ) -> None:
        self._on_forget = on_forget
        self._on_late = on_late
        self._beside = beside
        self._held: dict[str, Held] = {}
        self._arrived: list[Held] = []
        self._gone: set[str] = set()
        self._rang = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        with self._changed:
            return len(self._held)

    def add(self, held: Held) -> None:
        with self._changed:
            self._held[held.id] = held

    def get(self, job_id: str) -> Held | None:
        with self._changed:
            return self._held.get(job_id)

    def all(self) -> list[Held]:
        with self._changed:
            return list(self._held.values())

    def arrive(self, held: Held, order: Any) -> None:
        """Its inputs are here: it may join the next step."""
        with self._changed:
            if self._held.get(held.id) is held and not held.leaving:
                held.order = order
                self._arrived.append(held)
            self._changed.notify_all()

    def start_leaving(self, held: Held) -> bool:
        """True for the first who asks; the runner forgets it before its next step."""
        with self._changed:
            if held.leaving or self._held.get(held.id) is not held:
                return False
            held.leaving = True
            self._gone.add(held.id)
            self._changed.notify_all()
            return True

    def forget(self, held: Held) -> None:
        with self._changed:
            was_here = self._held.get(held.id) is held
            if was_here:
                del self._held[held.id]
            held.order = None
            self._changed.notify_all()
        if was_here:
            self._on_forget(held)

    def spend(self, spent: Mapping[str, float]) -> None:
        """So many ms of the engine went to these ids."""
        with self._changed:
            for job_id, ms in spent.items():
                if job_id in self._held:
                    self._held[job_id].spent_ms += ms

    def charge(self, held: Held, ms: float) -> None:
        """So many ms of work on its inputs. To be cancelled meanwhile makes it no cheaper."""
        with self._changed:
            is_here = self._held.get(held.id) is held
            held.spent_ms += ms if is_here else 0
        if not is_here:
            self._on_late(held, ms)

    def mark_ending(self, ids: Iterable[str]) -> None:
        with self._changed:
            for job_id in ids:
                if job_id in self._held:
                    self._held[job_id].ending = True
            self._changed.notify_all()

    def take_arrived(self) -> list[Held]:
        """Who is still wanted. One whose earlier self must leave the runner first comes later."""
        with self._changed:
            wanted = [held for held in self._arrived if not held.leaving]
            self._arrived = [held for held in wanted if held.id in self._gone]
            staying = [held for held in wanted if held.id not in self._gone]
            for held in staying:
                held.running = True
            return staying

    def take_gone(self) -> set[str]:
        with self._changed:
            gone, self._gone = self._gone, set()
            return gone

    def room(self, slots: int) -> Room:
        """How many jobs may be claimed now.

        A live job may come while bulk fills the slots: it goes first. Beside live jobs only as
        much bulk is taken as will run; another worker may have more room for it. One bulk job may
        always be here, so that it gets its few steps under any flood. Where one merchant has
        several slots, or one whose inputs are slow to come, another may come and get one of them.
        In all no more than three times the slots are held, so that a slow store cannot fill the
        memory. None beside a suspect: if the process dies, nobody else shall be suspected.
        """
        with self._changed:
            if any(held.claim.runs_alone for held in self._held.values()):
                return Room(0, 0, 0)
            busy = [h for h in self._held.values() if not h.ending and not h.leaving]
            most = max(0, 3 * slots - len(self._held))
            live = [held for held in busy if held.claim.lane is Lane.LIVE]
            fitting = len(live) + self._beside(len(live), slots) if live else slots
            here = frozenset(held.claim.merchant for held in live)
            taken = min(len(here), sum(not self._is_slow(held) for held in live))
            return Room(
                live=min(most, max(0, slots - len(live))),
                both=min(most, max(0, fitting - len(busy))),
                bulk_at_least=int(len(live) == len(busy) and most > 0),
                newcomers=min(most, max(0, slots - taken)) if len(live) >= slots else 0,
                here=here,
            )

    def take_alone(self) -> Held | None:
        """A suspect whose time has come: nobody is here but suspects."""
        with self._changed:
            held = next(iter(self._held.values()), None)
            if held is None or not all(other.aside for other in self._held.values()):
                return None
            held.aside = False
            return held

    def wait(self, timeout_s: float) -> None:
        """Until something changes."""
        with self._changed:
            self._changed.wait(timeout_s)

    def ring(self) -> None:
        """Somebody enqueued."""
        with self._changed:
            self._rang = True
            self._changed.notify_all()

    def wait_for_room(self, slots: int, beyond: Room, timeout_s: float) -> None:
        """Until more could be claimed than `beyond`, or somebody rang."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._rang or self.room(slots).exceeds(beyond), timeout_s
            )
            self._rang = False

    def wait_for_work(self, timeout_s: float) -> None:
        with self._changed:
            if not self._arrived and not self._gone:
                self._changed.wait(timeout_s)

    def gather(self, slots: int, max_wait_s: float) -> None:
        """Waits for those who are on their way, once somebody has arrived; never for one alone."""
        until = time.monotonic() + max_wait_s
        with self._changed:
            while self._arrived and self._is_worth_waiting(slots):
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return

    def _is_worth_waiting(self, slots: int) -> bool:
        """Whether somebody is coming who would get a slot now: a live one before any bulk."""
        coming = [h.claim.lane for h in self._held.values() if self._is_on_its_way(h)]
        here = [held.claim.lane for held in self._arrived]
        if Lane.LIVE in coming:
            return here.count(Lane.LIVE) < slots
        return bool(coming) and len(here) < slots

    def _is_slow(self, held: Held) -> bool:
        is_late = time.monotonic() - held.claimed_at > SLOW_S
        return is_late and self._is_on_its_way(held)

    def _is_on_its_way(self, held: Held) -> bool:
        idle = held.aside or held.running or held.leaving
        return not idle and held not in self._arrived
