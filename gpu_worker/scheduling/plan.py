"""Decides which samples run at the next step. Pure: no engine, no Redis, time is passed in.

Live before bulk, at once; merchants share by milliseconds; one size per forward pass; who must
run alone runs alone; nobody waits for ever.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from gpu_worker.contract import Lane
from gpu_worker.scheduling.run import Run
from gpu_worker.scheduling.shares import Shares

LANES = {Lane.LIVE: 0.95, Lane.BULK: 0.05}  # of the time, while both want it
OVERDUE_MS = 500.0  # so far behind, bulk holds up even a live sample's first step
SLOWER = 1.10  # bulk may make a step of live samples so much slower
TRY_EVERY = 64  # steps: then one bulk sample more is tried, so that its time is learned
PAUSED = 8  # more than these are never put aside in a lane, but when the slots get fewer

Curve = Callable[[str], Mapping[int, float]]
K = TypeVar("K")


def _nothing_learned(_bucket: str) -> Mapping[int, float]:
    return {}


class Scheduler:
    """Holds all that are ready to run, in the order in which they came."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._merchants = {lane: Shares[str]() for lane in LANES}
        self._class_shares = {lane: Shares[str]() for lane in LANES}
        self._lanes = Shares[Lane]()
        self._served: dict[tuple[Lane, str], int] = {}  # of a merchant: its latest start
        self._limits: dict[str, int] = {}
        self._starts = 0
        self._turn = 0
        self._is_sharing = False  # the step's bulk samples fill slots that cost live ones little

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run: Run) -> None:
        self._runs[run.id] = run
        # a newcomer does not jump the ring
        self._served.setdefault((run.lane, run.merchant), self._starts)

    def remove(self, run_id: str) -> None:
        """Frees its slot at the next step."""
        run = self._runs.pop(run_id, None)
        if run is None:
            return
        if not any(other.merchant == run.merchant for other in self._of(run.lane)):
            self._served.pop((run.lane, run.merchant), None)

    def restart_alone(self, run_id: str) -> None:
        """Its batch raised: it begins again, by itself."""
        run = self._runs[run_id]
        run.alone, run.started = True, None

    def limit(self, bucket: str, most: int | None) -> None:
        """No more than so many of this size together; None: as many as there are slots."""
        if most is None:
            self._limits.pop(bucket, None)
        else:
            self._limits[bucket] = most

    def choose(self, slots: int, curve: Curve = _nothing_learned) -> list[str]:
        """The ids of the next step, at most `slots`. An empty list: nothing to do.

        `curve`: what a step of b samples of a size takes, in ms, as far as that is known.
        """
        self._turn += 1
        self._forget_the_gone()
        chosen = self._with_bulk(self._pick(Lane.LIVE, slots), slots, curve)
        for run in chosen:
            self._start(run)
        return [run.id for run in chosen]

    def spend(self, ids: Iterable[str], took_ms: float) -> None:
        """A step of these took so long: each has had an equal part of it."""
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
        """A spare slot is nobody's: it is not paid for, and bulk is owed nothing meanwhile, unless
        some of it waits in another batch class. Live samples that all run still wanted the step for
        themselves."""
        if self._is_sharing:
            batch_class = step.ran[0].batch_class
            if all(t.batch_class == batch_class for t in step.present if t.lane is Lane.BULK):
                return
            step = replace(step, ran=[t for t in step.ran if t.lane is Lane.LIVE])
        step.settle(self._lanes, lambda run: run.lane, lanes, waiting=set(lanes))

    def _forget_the_gone(self) -> None:
        """Where nobody waited nobody is owed anything."""
        for lane in LANES:
            if not self._of(lane):
                self._merchants[lane].clear()
                self._class_shares[lane].clear()
                self._lanes.clear()

    # --- one lane --------------------------------------------------------------------------------

    def _of(self, lane: Lane) -> list[Run]:
        return [run for run in self._runs.values() if run.lane is lane]

    def _pick(self, lane: Lane, slots: int, batch_class: str | None = None) -> list[Run]:
        """Whom a lane would send into the next step, were it alone; all of one batch class."""
        mine = self._of(lane)
        started = [run for run in mine if run.started is not None]
        if len(started) >= slots + PAUSED:
            mine = started
        if batch_class is None and mine:
            batch_class = self._next_class(lane, mine)
        fitting = [run for run in mine if run.batch_class == batch_class]
        return self._in_turns(lane, fitting, self._most(fitting, slots))

    def _most(self, runs: Sequence[Run], slots: int) -> int:
        return min(slots, self._limits.get(runs[0].bucket, slots)) if runs else 0

    def _next_class(self, lane: Lane, runs: Sequence[Run]) -> str:
        """The one that is furthest behind; between equals, where somebody has not begun."""
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
        """Each merchant gets a first slot before any gets a second. Among equals those who have
        begun go on, then comes who is furthest behind; within a merchant as they came."""
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
        if run.started is not None:
            return (run.started, 0.0, 0)
        ahead = self._merchants[lane].ahead(run.merchant)
        return (float("inf"), ahead, self._served[lane, run.merchant])

    def _start(self, run: Run) -> None:
        if run.started is None:
            self._starts += 1
            run.started = self._starts
            self._served[run.lane, run.merchant] = self._starts

    # --- the two together ------------------------------------------------------------------------

    def _with_bulk(self, live: list[Run], slots: int, curve: Curve) -> list[Run]:
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
        """Now and then one more than is known to be good, so that it becomes known."""
        return min(
            slots - live, bulk_in_spare_slots(live, slots, curve) + (self._turn % TRY_EVERY == 0)
        )

    def _bulks_turn(self, live: list[Run], beside: list[Run], slots: int) -> list[Run] | None:
        """What bulk is owed: a step of its own where its next sample is of another batch class,
        else one slot beside the live samples. A live sample that has begun makes place for it; a
        first step does not, as long as bulk can wait."""
        overdue = self._lanes.ahead(Lane.BULK) < -OVERDUE_MS
        may_wait = [run for run in live if overdue or run.started is not None]
        own = self._pick(Lane.BULK, slots)
        if own[0].batch_class != live[0].batch_class:
            return own if len(may_wait) == len(live) else None
        if beside:
            return None  # it has more than that already
        if len(live) < slots:
            return live + own[:1]
        return [t for t in live if t is not may_wait[-1]] + own[:1] if may_wait else None


def bulk_in_spare_slots(live: int, slots: int, curve: Mapping[int, float]) -> int:
    """How many bulk samples may run beside so many live ones. A step is not expected to take
    longer with fewer samples, so that the largest good batch vouches for those below it."""
    bearable_ms = SLOWER * curve.get(live, 0.0)
    good = [batch for batch, took_ms in curve.items() if took_ms <= bearable_ms]
    return max(0, min(slots, max(good, default=0)) - live)


@dataclass(frozen=True, slots=True)
class _Step:
    """Who ran, among whom, and the ms that each of them had."""

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
        """`waiting`: who wanted more than it got; else whoever has a sample that did not run."""
        took = {who: n * self.each_ms for who, n in Counter(map(group, self.ran)).items()}
        ids = {run.id for run in self.ran}
        idle = {group(run) for run in self.present if run.id not in ids}
        shares.pay(took, weights, idle if waiting is None else waiting)


def _class_weights(runs: Iterable[Run]) -> dict[str, float]:
    """Every merchant weighs one, divided among the batch classes in which it has samples."""
    batch_classes: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        batch_classes[run.merchant].add(run.batch_class)
    weights: dict[str, float] = defaultdict(float)
    for own in batch_classes.values():
        for batch_class in own:
            weights[batch_class] += 1 / len(own)
    return weights
