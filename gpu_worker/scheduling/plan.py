"""The scheduler: chooses the batch of the next step. Pure: no engine, no Redis, no clock.

Live pre-empts bulk, which is owed a twentieth of the time. Within a lane, merchants and batch
classes have fair shares in ms. A step has one batch class; a suspect is a class of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from gpu_worker.contract import Lane
from gpu_worker.scheduling.run import Run
from gpu_worker.scheduling.shares import Shares

LANES = {Lane.LIVE: 0.95, Lane.BULK: 0.05}  # share of the time, while both have samples
OVERDUE_MS = 500.0  # owed more than this, bulk may delay even a live sample's first step
SLOWER = 1.10  # bulk in spare slots may make a step of live samples slower by this factor
TRY_EVERY = 64  # steps: then one bulk sample more is tried, so that its time is learned
PAUSED = 8  # pre-empted samples per lane at most, except when the slots get fewer

Curve = Callable[[str], Mapping[int, float]]
K = TypeVar("K")


def _nothing_learned(_bucket: str) -> Mapping[int, float]:
    return {}


class Scheduler:
    """Holds the runs that may step, in order of arrival, and the accounts of time. For one thread.

    The step loop calls `choose`, runs the step, then `spend` with its time.
    """

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._merchants = {lane: Shares[str]() for lane in LANES}
        self._class_shares = {lane: Shares[str]() for lane in LANES}
        self._lanes = Shares[Lane]()
        self._served: dict[tuple[Lane, str], int] = {}  # a merchant's latest start, for round robin
        self._limits: dict[str, int] = {}
        self._starts = 0
        self._turn = 0
        self._is_sharing = False  # whether bulk of the step just chosen fills spare slots

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run: Run) -> None:
        self._runs[run.id] = run
        # A new merchant begins at the current round-robin position, behind those who wait.
        self._served.setdefault((run.lane, run.merchant), self._starts)

    def remove(self, run_id: str) -> None:
        """Frees its slot at the next step."""
        run = self._runs.pop(run_id, None)
        if run is None:
            return
        if not any(other.merchant == run.merchant for other in self._of(run.lane)):
            self._served.pop((run.lane, run.merchant), None)  # coming back it is new

    def restart_alone(self, run_id: str) -> None:
        """Its batch raised: it begins again, in steps of its own."""
        run = self._runs[run_id]
        run.alone, run.started = True, None

    def limit(self, bucket: str, most: int | None) -> None:
        """Bounds the batch size of this bucket; None: the slots are the only bound."""
        if most is None:
            self._limits.pop(bucket, None)
        else:
            self._limits[bucket] = most

    def choose(self, slots: int, curve: Curve = _nothing_learned) -> list[str]:
        """The ids of the next step, at most `slots`; empty if there is nothing to do.

        `curve`: for a size, the ms that a step of b samples takes, for every b that was measured.
        """
        self._turn += 1
        self._forget_the_gone()
        chosen = self._with_bulk(self._pick(Lane.LIVE, slots), slots, curve)
        for run in chosen:
            self._start(run)
        return [run.id for run in chosen]

    def spend(self, ids: Iterable[str], took_ms: float) -> None:
        """Books a step's time in all accounts, in equal parts for its samples.

        Of 60 ms with two samples of merchant A and one of B, while both have more waiting: A had
        40, B 20, each was entitled to 30, so A is 10 ahead and B 10 behind.
        """
        ran = [self._runs[run_id] for run_id in ids if run_id in self._runs]
        if not ran:
            return
        step = _Step(took_ms / len(ran), ran, list(self._runs.values()))
        lanes = {run.lane: LANES[run.lane] for run in step.present}
        self._settle_lanes(step, lanes)
        for lane in lanes:
            part = step.of(lane)
            merchants = {run.merchant: 1.0 for run in part.present}
            part.settle(self._merchants[lane], lambda run: run.merchant, merchants)
            part.settle(
                self._class_shares[lane], lambda run: run.batch_class, _class_weights(part.present)
            )

    def _settle_lanes(self, step: _Step, lanes: Mapping[Lane, float]) -> None:
        """Books a step between the lanes. Spare slots are free: bulk in them is not charged.

        In 60 ms, one live and two bulk samples in spare slots had 20 each.

        - All bulk is of this batch class: nothing is booked, as bulk gets what there is.
        - Some bulk is of another class, which spare slots cannot serve: only the live sample's 20
          are booked. Bulk was entitled to a twentieth of it and is 1 ms further behind.

        Outside spare slots both lanes count as waiting, even if all live samples ran: bulk made
        their step slower.
        """
        if self._is_sharing:
            batch_class = step.ran[0].batch_class
            if all(t.batch_class == batch_class for t in step.present if t.lane is Lane.BULK):
                return
            step = replace(step, ran=[t for t in step.ran if t.lane is Lane.LIVE])
        step.settle(self._lanes, lambda run: run.lane, lanes, waiting=set(lanes))

    def _forget_the_gone(self) -> None:
        """Clears accounts where a lane has no samples: nobody waited, so nobody is owed time."""
        for lane in LANES:
            if not self._of(lane):
                self._merchants[lane].clear()
                self._class_shares[lane].clear()
                self._lanes.clear()

    # --- one lane --------------------------------------------------------------------------------

    def _of(self, lane: Lane) -> list[Run]:
        return [run for run in self._runs.values() if run.lane is lane]

    def _pick(self, lane: Lane, slots: int, batch_class: str | None = None) -> list[Run]:
        """The runs that a lane alone would step next, all of `batch_class`, or else of the class
        whose turn it is."""
        mine = self._of(lane)
        started = [run for run in mine if run.started is not None]
        if len(started) >= slots + PAUSED:  # a paused one keeps its latents: no more may start
            mine = started
        if batch_class is None and mine:
            batch_class = self._next_class(lane, mine)
        fitting = [run for run in mine if run.batch_class == batch_class]
        return self._in_turns(lane, fitting, self._most(fitting, slots))

    def _most(self, runs: Sequence[Run], slots: int) -> int:
        return min(slots, self._limits.get(runs[0].bucket, slots)) if runs else 0

    def _next_class(self, lane: Lane, runs: Sequence[Run]) -> str:
        """The batch class furthest behind; between equals, one with a sample that has not begun."""
        fresh = {run.batch_class for run in runs if run.started is None}
        batch_classes = dict.fromkeys(run.batch_class for run in runs)
        return min(
            batch_classes,
            key=lambda batch_class: (
                self._class_shares[lane].ahead(batch_class),
                batch_class not in fresh,
            ),
        )

    def _in_turns(self, lane: Lane, runs: Sequence[Run], slots: int) -> list[Run]:
        """Each merchant gets a first slot before any gets a second: with 2 slots, both used by
        merchant A, a sample of B pre-empts A's later one. Between merchants with equally many,
        samples that have begun go first, then the merchant furthest behind; within one by arrival.
        """
        queues: dict[str, list[Run]] = defaultdict(list)
        for run in sorted(runs, key=lambda t: t.started or self._starts + 1):
            queues[run.merchant].append(run)
        picked: list[Run] = []
        held: Counter[str] = Counter()
        while queues and len(picked) < slots:
            merchant = min(queues, key=lambda m: (held[m], *self._rank(lane, queues[m][0])))
            picked.append(queues[merchant].pop(0))
            held[merchant] += 1
            if not queues[merchant]:
                del queues[merchant]
        return picked

    def _rank(self, lane: Lane, run: Run) -> tuple[float, float, int]:
        """Sort key, lowest first: begun, by its start; else ms ahead, then round robin."""
        if run.started is not None:
            return (run.started, 0.0, 0)
        ahead = self._merchants[lane].ahead(run.merchant)
        return (float("inf"), ahead, self._served[lane, run.merchant])

    def _start(self, run: Run) -> None:
        if run.started is None:
            self._starts += 1
            run.started = self._starts
            self._served[run.lane, run.merchant] = self._starts

    # --- both lanes ------------------------------------------------------------------------------

    def _with_bulk(self, live: list[Run], slots: int, curve: Curve) -> list[Run]:
        """The step: the live samples, with bulk in spare slots, or with what bulk is owed."""
        self._is_sharing = False
        if not live:
            return self._pick(Lane.BULK, slots)
        batch_class, slots = live[0].batch_class, self._most(live, slots)
        beside = self._pick(
            Lane.BULK, self._spare(len(live), slots, curve(batch_class)), batch_class
        )
        if self._lanes.ahead(Lane.BULK) < 0:
            turn = self._bulks_turn(live, beside, slots)
            if turn is not None:
                return turn
        self._is_sharing = bool(beside)
        return live + beside

    def _spare(self, live: int, slots: int, curve: Mapping[int, float]) -> int:
        """Slots for bulk beside `live` samples; every `TRY_EVERY` turns one more than is known to
        be good, so that its time is measured."""
        return min(
            slots - live, bulk_in_spare_slots(live, slots, curve) + (self._turn % TRY_EVERY == 0)
        )

    def _bulks_turn(self, live: list[Run], beside: list[Run], slots: int) -> list[Run] | None:
        """The step when bulk is owed time; None: nothing changes for now.

        If bulk's next sample is of another batch class it gets a step of its own, else one slot. If
        none is free, a live sample that has begun is pre-empted. A live sample's first step is not
        delayed until bulk is overdue: with 3 live samples in 3 slots, one of them new, bulk that is
        1 ms behind takes the slot of one of the other two; of another class, it waits until all
        three have begun, or until it is 500 ms behind.
        """
        overdue = self._lanes.ahead(Lane.BULK) < -OVERDUE_MS
        may_wait = [run for run in live if overdue or run.started is not None]
        own = self._pick(Lane.BULK, slots)  # never empty: only a lane with samples is owed time
        if own[0].batch_class != live[0].batch_class:
            return own if len(may_wait) == len(live) else None
        if beside:
            return None  # bulk has a spare slot already
        if len(live) < slots:
            return live + own[:1]
        return [t for t in live if t is not may_wait[-1]] + own[:1] if may_wait else None


def bulk_in_spare_slots(live: int, slots: int, curve: Mapping[int, float]) -> int:
    """How many bulk samples may run beside so many live ones.

    A batch is good if it takes at most `SLOWER` times the live samples' own step. With
    `{1: 50, 2: 54, 4: 58}` and 1 live sample, up to 55 ms are good: one bulk sample. Every size
    below the largest good one counts as good, measured or not: fewer samples take no longer.
    """
    bearable_ms = SLOWER * curve.get(live, 0.0)
    good = [batch for batch, took_ms in curve.items() if took_ms <= bearable_ms]
    return max(0, min(slots, max(good, default=0)) - live)


@dataclass(frozen=True, slots=True)
class _Step:
    """A step to be booked: the runs that stepped, all that could have, and ms per run."""

    each_ms: float
    ran: Sequence[Run]
    present: Sequence[Run]

    def of(self, lane: Lane) -> _Step:
        ran = [run for run in self.ran if run.lane is lane]
        return _Step(self.each_ms, ran, [t for t in self.present if t.lane is lane])

    def settle(
        self,
        shares: Shares[K],
        group: Callable[[Run], K],
        weights: Mapping[K, float],
        waiting: Container[K] | None = None,
    ) -> None:
        """Books the step in one account, by `group`. `waiting`: who wanted more than it got; else
        every group with a sample that did not run."""
        took = {who: n * self.each_ms for who, n in Counter(map(group, self.ran)).items()}
        ids = {run.id for run in self.ran}
        idle = {group(run) for run in self.present if run.id not in ids}
        shares.pay(took, weights, idle if waiting is None else waiting)


def _class_weights(runs: Iterable[Run]) -> dict[str, float]:
    """A merchant's weight of 1, divided among its batch classes: with A in `full` and `small` and
    B in `full`, `full` weighs 1.5 and `small` 0.5."""
    batch_classes: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        batch_classes[run.merchant].add(run.batch_class)
    weights: dict[str, float] = defaultdict(float)
    for own in batch_classes.values():
        for batch_class in own:
            weights[batch_class] += 1 / len(own)
    return weights
