"""The step loop: the scheduler decides, the engine computes, this joins them.

Knows engine and scheduler. No Redis, no store: orders come in, what became of them goes out.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gpu_worker.contract import Tier
from gpu_worker.engine import DeviceLostError, OutOfMemoryError, Pixels, Refusal
from gpu_worker.scheduling.beside import Beside
from gpu_worker.scheduling.ceiling import Ceiling
from gpu_worker.scheduling.metrics import Metrics
from gpu_worker.scheduling.plan import Scheduler, Ticket

ADMIT, FINISH = "admit", "finish"
BESIDE_S = 0.02  # so long a turn without a step waits for what is done beside


class Steps(Protocol):
    """The part of an engine that the loop drives; try-on engines, tailor and fetcher all fit.

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
class Peek:
    """A rough picture of one that is under way."""

    id: str
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Finished:
    """`result` is what the engine drew, or why it did not."""

    id: str
    result: Any
    model_ms: int


@dataclass(slots=True)
class Turn:
    """What came of one step. `spent`: the ms of the engine that each id had of it."""

    progress: list[Progress] = field(default_factory=list)
    peeks: list[Peek] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=lambda: defaultdict(float))


@dataclass(slots=True)
class _Run:
    order: Any
    ticket: Ticket
    peeks: Sequence[float] = ()  # fractions of its steps at which it will be looked at, ascending
    sample: Any = None
    steps_s: float = 0.0
    around_s: float = 0.0  # the engine's time before, between and after its steps, for it alone


class Runner:
    """Owns all samples of one engine. Called from one thread.

    Any call of the engine may raise DeviceLostError: `at_work` says in whose.
    """

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
        self._beside = Beside() if getattr(engine, "works_beside", False) else None
        self._ceilings: dict[str, Ceiling] = defaultdict(Ceiling)
        self.metrics = Metrics()
        self.at_work: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, ticket: Ticket, order: Any, peeks: Sequence[float] = ()) -> None:
        """`peeks`: after which fractions of its steps, ascending, a rough picture is wanted."""
        self._runs[ticket.id] = _Run(order, ticket, peeks)
        if self._beside is None or ticket.alone:  # a suspect has the whole engine to itself
            self._scheduler.add(ticket)
        else:
            self._beside.ask(ticket.id, ADMIT, self._engine.admit, order)

    def remove(self, run_id: str) -> None:
        """Forgets an order, at whatever step it is."""
        self._runs.pop(run_id, None)
        self._scheduler.remove(run_id)

    def turn(self, slots: int) -> Turn:
        """One step of the samples the scheduler chooses."""
        turn = Turn()
        self._hear(turn, 0.0 if len(self._scheduler) else BESIDE_S)
        chosen = self._scheduler.choose(min(slots, self._engine.max_slots), self.metrics.curve)
        batch = [run_id for run_id in chosen if self._admitted(run_id, turn)]
        if batch and self._stepped(batch, turn):
            self._look_at(batch, turn)
        return turn

    def _admitted(self, run_id: str, turn: Turn) -> bool:
        run = self._runs[run_id]
        if run.sample is None:
            self._welcome(run_id, self._ask(self._engine.admit, run.order, run_id, turn), turn)
        return run.sample is not None

    def _welcome(self, run_id: str, admitted: Any, turn: Turn) -> None:
        """`admitted`: its sample, or what the engine raised instead."""
        if isinstance(admitted, OutOfMemoryError):
            self._admit_later(run_id, admitted, turn)
        elif isinstance(admitted, Exception):
            self._end(run_id, admitted, turn)
        else:
            self._runs[run_id].sample = admitted
            self._on_start(Progress(run_id, admitted.step, admitted.steps))

    def _admit_later(self, run_id: str, error: Exception, turn: Turn) -> None:
        """The device is full of others: it waits until there are fewer."""
        bucket = self._runs[run_id].ticket.bucket
        others = sum(run.sample is not None for run in self._runs.values())
        if others:
            self._limit(bucket, others + 1)
            self._runs[run_id].order = self._renew(self._runs[run_id].order)  # its noise was drawn
        else:
            self._end(run_id, error, turn)

    def _stepped(self, batch: list[str], turn: Turn) -> bool:
        runs = [self._runs[run_id] for run_id in batch]
        self._on_last_step([run_id for run_id in batch if self._is_last(run_id)])
        self.at_work = batch
        began = time.monotonic()
        try:
            self._engine.step([run.sample for run in runs])
        except OutOfMemoryError as error:
            self._halve(batch, error, turn)
            return False
        except DeviceLostError:
            raise
        except Exception as error:  # noqa: BLE001 one of them is poison: which one, each shows by itself
            self._part(batch, error, turn)
            return False
        self._note_step(batch, time.monotonic() - began, turn)
        return True

    def _note_step(self, batch: list[str], took_s: float, turn: Turn) -> None:
        bucket = self._runs[batch[0]].ticket.bucket
        self.metrics.step(bucket, len(batch), took_s * 1000)
        for run_id in batch:
            self._runs[run_id].steps_s += took_s
        self._spend(batch, took_s, turn)
        self._ceilings[bucket].held(len(batch))
        self._scheduler.limit(bucket, self._ceilings[bucket].most)

    def _is_last(self, run_id: str) -> bool:
        sample = self._runs[run_id].sample
        return bool(sample.step >= sample.steps - 1)

    def _halve(self, batch: list[str], error: Exception, turn: Turn) -> None:
        """The device cannot hold them all. They are whole: half of them go on, the others wait."""
        if len(batch) == 1:
            self._end(batch[0], error, turn)
        else:
            self._limit(self._runs[batch[0]].ticket.bucket, len(batch))

    def _limit(self, bucket: str, too_many: int) -> None:
        self.metrics.count("out_of_memory")
        self._ceilings[bucket].broke(too_many)
        self._scheduler.limit(bucket, self._ceilings[bucket].most)

    def _part(self, batch: list[str], error: Exception, turn: Turn) -> None:
        if len(batch) == 1:
            self._end(batch[0], error, turn)
            return
        self.metrics.count("batches_parted")
        for run_id in batch:  # from the start: nobody knows how far the broken step had come
            run = self._runs[run_id]
            self._runs[run_id] = _Run(self._renew(run.order), run.ticket, run.peeks)
            self._scheduler.restart_alone(run_id)

    def _look_at(self, batch: list[str], turn: Turn) -> None:
        for run_id in batch:
            sample = self._runs[run_id].sample
            if sample.step < sample.steps:
                turn.progress.append(Progress(run_id, sample.step, sample.steps))
                self._peek(run_id, turn)
            else:
                self._finish(run_id, turn)

    def _peek(self, run_id: str, turn: Turn) -> None:
        run = self._runs[run_id]
        due = [part for part in run.peeks if run.sample.step >= part * run.sample.steps]
        if not due:
            return
        run.peeks = run.peeks[len(due) :]
        rough = self._ask(self._engine.peek, run.sample, run_id, turn)
        if isinstance(rough, Exception):  # nobody was promised one
            self.metrics.count("peeks_failed")
        elif rough is not None:
            turn.peeks.append(Peek(run_id, rough))

    def _finish(self, run_id: str, turn: Turn) -> None:
        run = self._runs[run_id]
        if self._beside is None or run.ticket.alone:
            self._conclude(run_id, self._ask(self._engine.finish, run.sample, run_id, turn), turn)
        else:
            self._scheduler.remove(run_id)  # its slot is free
            self._beside.ask(run_id, FINISH, self._engine.finish, run.sample)

    def _conclude(self, run_id: str, picture: Any, turn: Turn) -> None:
        """`picture`: the engine's, or what it raised instead."""
        if isinstance(picture, OutOfMemoryError) and self._makes_room(run_id):
            self._finish(run_id, turn)
            return
        if not isinstance(picture, Exception):
            self._note_picture(self._runs[run_id])
        self._end(run_id, picture, turn)

    def _makes_room(self, run_id: str) -> bool:
        """For a picture that does not fit beside the steps: fewer step from now on. False where
        they cannot be fewer."""
        bucket = self._runs[run_id].ticket.bucket
        others = sum(run.sample is not None for run in self._runs.values()) - 1
        if self._beside is None or not others or self._ceilings[bucket].most == 1:
            return False
        self._limit(bucket, others)
        return True

    def _note_picture(self, run: _Run) -> None:
        bucket = run.ticket.bucket
        self.metrics.around(bucket, run.around_s * 1000)
        tier = getattr(run.order, "tier", None)  # what the tailor does has none
        self.metrics.steps(tier.name if tier else bucket, run.sample.steps)

    def _end(self, run_id: str, result: Any, turn: Turn) -> None:
        run = self._runs[run_id]
        model_ms = round((run.steps_s + run.around_s) * 1000)
        turn.finished.append(Finished(run_id, result, model_ms))
        self.metrics.count("refused" if isinstance(result, Refusal) else "finished")
        self.remove(run_id)

    def _ask(self, work: Callable[[Any], Any], argument: Any, run_id: str, turn: Turn) -> Any:
        """Something the engine does for one alone: what it returned, or what it raised."""
        self.at_work = [run_id]
        began = time.monotonic()
        try:
            answer = work(argument)
        except DeviceLostError:
            raise
        except Exception as error:  # noqa: BLE001 whatever an engine raises is that order's end, not ours
            answer = error
        self._note_around(run_id, time.monotonic() - began, turn)
        return answer

    def _note_around(self, run_id: str, took_s: float, turn: Turn) -> None:
        self._runs[run_id].around_s += took_s
        self._spend([run_id], took_s, turn)

    # --- beside the steps ------------------------------------------------------------------------

    @property
    def busy_beside_since(self) -> float:
        """When what the engine does beside its steps began; infinity where it does nothing."""
        return self._beside.busy_since if self._beside else float("inf")

    def _hear(self, turn: Turn, within_s: float) -> None:
        for answer in self._beside.answers(within_s) if self._beside else ():
            run = self._runs.get(answer.run_id)
            if isinstance(answer.result, DeviceLostError):
                self.at_work = [answer.run_id]
                raise answer.result
            if run is None:
                continue  # it was taken out meanwhile
            self._note_around(answer.run_id, answer.took_s, turn)
            if answer.what == FINISH:
                self._conclude(answer.run_id, answer.result, turn)
            else:
                self._scheduler.add(run.ticket)
                self._welcome(answer.run_id, answer.result, turn)

    def _spend(self, ids: Sequence[str], took_s: float, turn: Turn) -> None:
        self._scheduler.spend(ids, took_s * 1000)
        for run_id in ids:
            turn.spent[run_id] += took_s * 1000 / len(ids)
