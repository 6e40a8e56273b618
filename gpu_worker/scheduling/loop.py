"""The step loop: runs on the engine what the scheduler chooses, and collects the results.

Knows engine and scheduler. No Redis, no store: a `Run` comes in, a `Turn` goes out.
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
SIDE_WAIT_S = 0.02  # how long a turn with nothing to step waits for the side thread


O_contra = TypeVar("O_contra", contravariant=True)
S = TypeVar("S", bound=Stepped)
P_co = TypeVar("P_co", covariant=True)
A = TypeVar("A")
R = TypeVar("R")


class Steps(Protocol[O_contra, S, P_co]):
    """What the loop needs of an engine: order -> sample -> product, with the engine's own types.
    Try-on engines, tailor and fetcher all have it.

    Optional attributes: `has_side_thread` (see `Engine`); and for one that waits more than it
    computes `least_slots`, below which no policy sets its slots, and `per_merchant`, how many jobs
    of one merchant all workers together may hold.
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


AnySteps: TypeAlias = Steps[Any, Any, Any]  # code that serves every engine knows no order's type


@dataclass(frozen=True, slots=True)
class Progress:
    id: str
    step: int
    steps: int


@dataclass(frozen=True, slots=True)
class Partial:
    """A partial picture of a sample under way."""

    id: str
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a run. `result`: the engine's product, or the exception that ended it."""

    id: str
    result: object
    model_ms: int


@dataclass(slots=True)
class Turn:
    """Results of one call of `Runner.turn`. `spent`: ms of the engine's time, by id."""

    progress: list[Progress] = field(default_factory=list)
    partials: list[Partial] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=lambda: defaultdict(float))


class Runner:
    """Owns all samples of one engine. For one thread; others may read `side_busy_since`, `metrics`
    and `len`.

    Any call of the engine may raise DeviceLostError: `at_work` then has the ids it was for.
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
        """`renew`: gives an order as it was before an engine touched it; `on_last_step`: called
        with the ids whose last step is next, so that inputs for their slots can be fetched
        meanwhile; `on_start`: called for each admitted sample, before its first step."""
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
        if self._side_thread is None or run.alone:  # nothing may run beside a suspect
            self._scheduler.add(run)
        else:
            self._side_thread.ask(run.id, ADMIT, self._engine.admit, run.order)

    def remove(self, run_id: str) -> None:
        """Forgets an order, at whatever step it is."""
        self._runs.pop(run_id, None)
        self._scheduler.remove(run_id)

    def turn(self, slots: int) -> Turn:
        """Takes the side thread's results, then runs one step of what the scheduler chooses.

        Raises:
            DeviceLostError: the process must end.
        """
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
        """Takes the result of `admit`: a sample, or what the engine raised instead."""
        if isinstance(admitted, OutOfMemoryError) and self._recovery.postpone(run, self._inside()):
            return
        if isinstance(admitted, BaseException):
            self._end(run, admitted, turn)
        else:
            run.sample = admitted
            self._on_start(Progress(run.id, admitted.step, admitted.steps))

    def _inside(self) -> int:
        """How many samples the device holds, those that are pre-empted included."""
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
        """Recovers from a failed step. What cannot recover is a batch of one: that sample fails."""
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
        run.partials = run.partials[len(due) :]  # one picture, however many fractions a step passed
        partial = self._ask(self._engine.partial, sample, run, turn)
        if isinstance(partial, Exception):  # it is optional: the picture itself goes on
            log.warning("job %s: no partial picture: %r", run.id, partial)
            self.metrics.count("partials_failed")
        elif partial is not None:
            turn.partials.append(Partial(run.id, partial))

    def _finish(self, run: Run, turn: Turn) -> None:
        if self._side_thread is None or run.alone:
            self._conclude(run, self._ask(self._engine.finish, run.sample, run, turn), turn)
        else:
            self._scheduler.remove(run.id)  # its slot is free while the side thread finishes it
            self._side_thread.ask(run.id, FINISH, self._engine.finish, run.sample)

    def _conclude(self, run: Run, picture: object, turn: Turn) -> None:
        """Takes the result of `finish`: the picture, or what the engine raised instead."""
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
        tier = getattr(run.order, "tier", None)  # only a try-on's order has one
        self.metrics.steps(tier.name if tier else run.bucket, run.admitted.steps)

    def _end(self, run: Run, result: object, turn: Turn) -> None:
        turn.finished.append(Finished(run.id, result, run.model_ms))
        self.metrics.count("refused" if isinstance(result, Refusal) else "finished")
        self.remove(run.id)

    def _ask(self, work: Callable[[A], R], argument: A, run: Run, turn: Turn) -> R | Exception:
        """Calls the engine for one sample, on this thread. Returns what it returned or raised."""
        self.at_work = [run.id]
        began = time.monotonic()
        answer = tried(lambda: work(argument), ends=(DeviceLostError,))
        self._note_around(run, time.monotonic() - began, turn)
        return answer

    def _note_around(self, run: Run, took_s: float, turn: Turn) -> None:
        run.around_s += took_s
        self._spend([run], took_s, turn)

    # --- the side thread -------------------------------------------------------------------------

    @property
    def side_busy_since(self) -> float:
        """When the side thread's call under way began, by the monotonic clock; infinity if none."""
        return self._side_thread.busy_since if self._side_thread else float("inf")

    def _hear(self, turn: Turn, within_s: float) -> None:
        """Takes the side thread's results; while it works on the first, waits up to `within_s`."""
        for answer in self._side_thread.answers(within_s) if self._side_thread else ():
            run = self._runs.get(answer.run_id)
            if isinstance(answer.result, DeviceLostError):
                self.at_work = [answer.run_id]
                raise answer.result
            if run is None:
                continue  # removed meanwhile
            self._note_around(run, answer.took_s, turn)
            if answer.what == FINISH:
                self._conclude(run, answer.result, turn)
            else:
                self._scheduler.add(run)  # even if `admit` failed: a later turn may try it again
                self._welcome(run, answer.result, turn)

    def _spend(self, runs: Sequence[Run], took_s: float, turn: Turn) -> None:
        """Charges the time to these runs in equal parts."""
        self._scheduler.spend([run.id for run in runs], took_s * 1000)
        for run in runs:
            turn.spent[run.id] += took_s * 1000 / len(runs)
