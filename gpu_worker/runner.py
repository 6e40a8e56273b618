"""The step loop: the scheduler decides, the engine computes, this joins them.

Knows engine and scheduler. No Redis, no store: orders come in, what became of them goes out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gpu_worker.engine import Refusal
from gpu_worker.metrics import Metrics
from gpu_worker.scheduler import Scheduler, Ticket


class Steps(Protocol):
    """The part of an engine that the loop drives; try-on engines and the tailor both fit."""

    name: str
    licence: str
    is_preview: bool
    max_slots: int
    device: str

    def warm_up(self) -> None: ...
    def admit(self, order: Any) -> Any: ...
    def step(self, samples: Sequence[Any]) -> None: ...
    def peek(self, sample: Any) -> Any: ...
    def finish(self, sample: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Progress:
    id: str
    step: int
    steps: int


@dataclass(frozen=True, slots=True)
class Finished:
    """`result` is what the engine drew, or why it did not."""

    id: str
    result: Any
    model_ms: int


@dataclass(slots=True)
class Turn:
    progress: list[Progress] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list)


@dataclass(slots=True)
class _Run:
    order: Any
    bucket: str
    sample: Any = None
    steps_s: float = 0.0
    around_s: float = 0.0  # the engine's time before, between and after its steps, for it alone


class Runner:
    """Owns all samples of one engine. Called from one thread."""

    def __init__(
        self,
        engine: Steps,
        scheduler: Scheduler,
        renew: Callable[[Any], Any],
        on_last_step: Callable[[list[str]], None] = lambda _ids: None,
        on_start: Callable[[Progress], None] = lambda _progress: None,
    ):
        """`renew` gives an order as it was before an engine touched it; `on_last_step` hears, just
        before it, who is about to be through, so that the next can be fetched meanwhile;
        `on_start` hears, before the first step, who has begun."""
        self._engine = engine
        self._scheduler = scheduler
        self._renew = renew
        self._on_last_step = on_last_step
        self._on_start = on_start
        self._runs: dict[str, _Run] = {}
        self.metrics = Metrics()

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, ticket: Ticket, order: Any) -> None:
        self._runs[ticket.id] = _Run(order, ticket.bucket)
        self._scheduler.add(ticket)

    def remove(self, run_id: str) -> None:
        """Forgets an order, at whatever step it is."""
        self._runs.pop(run_id, None)
        self._scheduler.remove(run_id)

    def turn(self, slots: int) -> Turn:
        """One step of the samples the scheduler chooses."""
        turn = Turn()
        chosen = self._scheduler.choose(min(slots, self._engine.max_slots), self.metrics.curve)
        batch = [run_id for run_id in chosen if self._admitted(run_id, turn)]
        if batch and self._stepped(batch, turn):
            self._look_at(batch, turn)
        return turn

    def _admitted(self, run_id: str, turn: Turn) -> bool:
        run = self._runs[run_id]
        if run.sample is None:
            try:
                run.sample = self._timed(self._engine.admit, run.order, run)
            except Exception as error:  # noqa: BLE001 whatever an engine raises is that order's end, not ours
                self._end(run_id, error, turn)
                return False
            self._on_start(Progress(run_id, run.sample.step, run.sample.steps))
        return True

    def _stepped(self, batch: list[str], turn: Turn) -> bool:
        runs = [self._runs[run_id] for run_id in batch]
        self._on_last_step([run_id for run_id in batch if self._is_last(run_id)])
        began = time.monotonic()
        try:
            self._engine.step([run.sample for run in runs])
        except Exception as error:  # noqa: BLE001 one of them is poison: which one, each shows by itself
            self._part(batch, error, turn)
            return False
        self._note_step(runs, time.monotonic() - began)
        self._scheduler.spend(batch, (time.monotonic() - began) * 1000)
        return True

    def _note_step(self, runs: list[_Run], took_s: float) -> None:
        self.metrics.step(runs[0].bucket, len(runs), took_s * 1000)
        for run in runs:
            run.steps_s += took_s

    def _is_last(self, run_id: str) -> bool:
        sample = self._runs[run_id].sample
        return bool(sample.step >= sample.steps - 1)

    def _part(self, batch: list[str], error: Exception, turn: Turn) -> None:
        if len(batch) == 1:
            self._end(batch[0], error, turn)
            return
        self.metrics.count("batches_parted")
        for run_id in batch:  # from the start: nobody knows how far the broken step had come
            run = self._runs[run_id]
            self._runs[run_id] = _Run(self._renew(run.order), run.bucket)
            self._scheduler.restart_alone(run_id)

    def _look_at(self, batch: list[str], turn: Turn) -> None:
        for run_id in batch:
            run = self._runs[run_id]
            if run.sample.step < run.sample.steps:
                turn.progress.append(Progress(run_id, run.sample.step, run.sample.steps))
                continue
            try:
                self._end(run_id, self._timed(self._engine.finish, run.sample, run), turn)
            except Exception as error:  # noqa: BLE001
                self._end(run_id, error, turn)

    def _end(self, run_id: str, result: Any, turn: Turn) -> None:
        run = self._runs[run_id]
        model_ms = round((run.steps_s + run.around_s) * 1000)
        turn.finished.append(Finished(run_id, result, model_ms))
        self.metrics.count("refused" if isinstance(result, Refusal) else "finished")
        if not isinstance(result, Exception):
            self.metrics.around(run.bucket, run.around_s * 1000)
        self.remove(run_id)

    @staticmethod
    def _timed(work: Callable[[Any], Any], argument: Any, run: _Run) -> Any:
        began = time.monotonic()
        try:
            return work(argument)
        finally:
            run.around_s += time.monotonic() - began
