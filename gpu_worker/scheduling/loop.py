"""The step loop: the scheduler decides, the engine computes, this joins them.

Knows engine and scheduler. No Redis, no store: orders come in, what became of them goes out.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

from gpu_worker.contract import Tier, tried
from gpu_worker.engine import DeviceLostError, OutOfMemoryError, Pixels, Refusal
from gpu_worker.scheduling.metrics import Metrics
from gpu_worker.scheduling.plan import Scheduler
from gpu_worker.scheduling.recovery import Recovery, Renew
from gpu_worker.scheduling.run import Run, Stepped
from gpu_worker.scheduling.side_thread import SideThread

log = logging.getLogger(__name__)

ADMIT, FINISH = "admit", "finish"
SIDE_WAIT_S = 0.02  # so long a turn without a step waits for what is done beside


O_contra = TypeVar("O_contra", contravariant=True)
S = TypeVar("S", bound=Stepped)
P_co = TypeVar("P_co", covariant=True)
A = TypeVar("A")
R = TypeVar("R")


class Steps(Protocol[O_contra, S, P_co]):
    """The part of an engine that the loop drives; try-on engines, tailor and fetcher all fit.
    From an order it makes a sample, and of that a picture, each of a type of its own.

    One that waits more than it computes may say more: `least_slots`, below which no policy sets
    its slots, and `per_merchant`, how many jobs of one merchant are held at a time.
    """

    name: str
    licence: str
    is_preview: bool
    max_slots: int
    device: str

    def warm_up(self) -> None: ...
    def steps_of(self, tier: Tier) -> int: ...
    def admit(self, order: O_contra) -> S: ...
    def step(self, samples: Sequence[S]) -> None: ...
    def partial(self, sample: S) -> Pixels | None: ...
    def finish(self, sample: S) -> P_co: ...


AnySteps: TypeAlias = Steps[Any, Any, Any]  # who serves all engines knows no order's type


@dataclass(frozen=True, slots=True)
class Progress:
    id: str
    step: int
    steps: int


@dataclass(frozen=True, slots=True)
class Partial:
    """A partial picture of one that is under way."""

    id: str
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Finished:
    """`result` is what the engine drew, or why it did not."""

    id: str
    result: object
    model_ms: int


@dataclass(slots=True)
class Turn:
    """What came of one step. `spent`: the ms of the engine that each id had of it."""

    progress: list[Progress] = field(default_factory=list)
    partials: list[Partial] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=lambda: defaultdict(float))


class Runner:
    """Owns all samples of one engine. Called from one thread.

    Any call of the engine may raise DeviceLostError: `at_work` says in whose.
    """

    def __init__(
        self,
        engine: AnySteps,
        scheduler: Scheduler,
        renew: Renew,
        on_last_step: Callable[[list[str]], None] = lambda _ids: None,
        on_start: Callable[[Progress], None] = lambda _progress: None,
        metrics: Metrics | None = None,
    ):
        """`renew` gives an order as it was before an engine touched it; `on_last_step` hears, just
        before it, who is about to be through, so that the next can be fetched meanwhile;
        `on_start` hears, before the first step, who has begun."""
        self._engine = engine
        self._scheduler = scheduler
        self._on_last_step = on_last_step
        self._on_start = on_start
        self._runs: dict[str, Run] = {}
        self._side_thread = SideThread[Any]() if getattr(engine, "has_side_thread", False) else None
        self.metrics = metrics or Metrics()
        self._recovery = Recovery(scheduler, renew, self.metrics)
        self.at_work: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run: Run) -> None:
        self._runs[run.id] = run
        if self._side_thread is None or run.alone:  # a suspect has the whole engine to itself
            self._scheduler.add(run)
        else:
            self._side_thread.ask(run.id, ADMIT, self._engine.admit, run.order)

    def remove(self, run_id: str) -> None:
        """Forgets an order, at whatever step it is."""
        self._runs.pop(run_id, None)
        self._scheduler.remove(run_id)

    def turn(self, slots: int) -> Turn:
        """One step of the samples the scheduler chooses."""
        turn = Turn()
        self._hear(turn, 0.0 if len(self._scheduler) else SIDE_WAIT_S)
        chosen = self._scheduler.choose(min(slots, self._engine.max_slots), self.metrics.curve)
        batch = [run for run_id in chosen if self._is_admitted(run := self._runs[run_id], turn)]
        if batch and self._stepped(batch, turn):
            for run in batch:
                self._look_at(run, turn)
        return turn

    def _is_admitted(self, run: Run, turn: Turn) -> bool:
        if run.sample is None:
            self._welcome(run, self._ask(self._engine.admit, run.order, run, turn), turn)
        return run.sample is not None

    def _welcome(self, run: Run, admitted: Stepped | BaseException, turn: Turn) -> None:
        """`admitted`: its sample, or what the engine raised instead."""
        if isinstance(admitted, OutOfMemoryError) and self._recovery.postpone(run, self._inside()):
            return
        if isinstance(admitted, BaseException):
            self._end(run, admitted, turn)
        else:
            run.sample = admitted
            self._on_start(Progress(run.id, admitted.step, admitted.steps))

    def _inside(self) -> int:
        """How many samples the device holds."""
        return sum(run.sample is not None for run in self._runs.values())

    def _stepped(self, batch: list[Run], turn: Turn) -> bool:
        self._on_last_step([run.id for run in batch if run.is_at_last_step])
        self.at_work = [run.id for run in batch]
        began = time.monotonic()
        samples = [run.sample for run in batch]
        error = tried(lambda: self._engine.step(samples), ends=(DeviceLostError,))
        if isinstance(error, Exception):
            self._mend(batch, error, turn)
            return False
        self._note_step(batch, time.monotonic() - began, turn)
        return True

    def _mend(self, batch: list[Run], error: Exception, turn: Turn) -> None:
        is_full = isinstance(error, OutOfMemoryError)
        if not (self._recovery.halve(batch) if is_full else self._recovery.part(batch, error)):
            self._end(batch[0], error, turn)

    def _note_step(self, batch: list[Run], took_s: float, turn: Turn) -> None:
        self.metrics.step(batch[0].bucket, len(batch), took_s * 1000)
        for run in batch:
            run.steps_s += took_s
        self._spend(batch, took_s, turn)
        self._recovery.fitted(batch)

    def _look_at(self, run: Run, turn: Turn) -> None:
        sample = run.admitted
        if sample.step < sample.steps:
            turn.progress.append(Progress(run.id, sample.step, sample.steps))
            self._note_partial(run, turn)
        else:
            self._finish(run, turn)

    def _note_partial(self, run: Run, turn: Turn) -> None:
        sample = run.admitted
        due = [part for part in run.partials if sample.step >= part * sample.steps]
        if not due:
            return
        run.partials = run.partials[len(due) :]
        partial = self._ask(self._engine.partial, sample, run, turn)
        if isinstance(partial, Exception):  # nobody was promised one
            log.warning("job %s: no partial picture: %r", run.id, partial)
            self.metrics.count("partials_failed")
        elif partial is not None:
            turn.partials.append(Partial(run.id, partial))

    def _finish(self, run: Run, turn: Turn) -> None:
        if self._side_thread is None or run.alone:
            self._conclude(run, self._ask(self._engine.finish, run.sample, run, turn), turn)
        else:
            self._scheduler.remove(run.id)  # its slot is free
            self._side_thread.ask(run.id, FINISH, self._engine.finish, run.sample)

    def _conclude(self, run: Run, picture: object, turn: Turn) -> None:
        """`picture`: the engine's, or what it raised instead."""
        if isinstance(picture, OutOfMemoryError) and self._makes_room(run):
            self._finish(run, turn)
            return
        if not isinstance(picture, Exception):
            self._note_picture(run)
        self._end(run, picture, turn)

    def _makes_room(self, run: Run) -> bool:
        return self._side_thread is not None and self._recovery.make_room(run, self._inside() - 1)

    def _note_picture(self, run: Run) -> None:
        self.metrics.around(run.bucket, run.around_s * 1000)
        tier = getattr(run.order, "tier", None)  # what the tailor does has none
        self.metrics.steps(tier.name if tier else run.bucket, run.admitted.steps)

    def _end(self, run: Run, result: object, turn: Turn) -> None:
        turn.finished.append(Finished(run.id, result, run.model_ms))
        self.metrics.count("refused" if isinstance(result, Refusal) else "finished")
        self.remove(run.id)

    def _ask(self, work: Callable[[A], R], argument: A, run: Run, turn: Turn) -> R | Exception:
        """Something the engine does for one alone: what it returned, or what it raised."""
        self.at_work = [run.id]
        began = time.monotonic()
        answer = tried(lambda: work(argument), ends=(DeviceLostError,))
        self._note_around(run, time.monotonic() - began, turn)
        return answer

    def _note_around(self, run: Run, took_s: float, turn: Turn) -> None:
        run.around_s += took_s
        self._spend([run], took_s, turn)

    # --- beside the steps ------------------------------------------------------------------------

    @property
    def side_busy_since(self) -> float:
        """When what the engine does beside its steps began; infinity where it does nothing."""
        return self._side_thread.busy_since if self._side_thread else float("inf")

    def _hear(self, turn: Turn, within_s: float) -> None:
        for answer in self._side_thread.answers(within_s) if self._side_thread else ():
            run = self._runs.get(answer.run_id)
            if isinstance(answer.result, DeviceLostError):
                self.at_work = [answer.run_id]
                raise answer.result
            if run is None:
                continue  # it was taken out meanwhile
            self._note_around(run, answer.took_s, turn)
            if answer.what == FINISH:
                self._conclude(run, answer.result, turn)
            else:
                self._scheduler.add(run)
                self._welcome(run, answer.result, turn)

    def _spend(self, runs: Sequence[Run], took_s: float, turn: Turn) -> None:
        self._scheduler.spend([run.id for run in runs], took_s * 1000)
        for run in runs:
            turn.spent[run.id] += took_s * 1000 / len(runs)
