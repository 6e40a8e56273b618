"""The control law's inputs, its memory between calls, and its parameters. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gpu_worker.contract import DEFAULT_BATCH_SIZE, LADDER, Law, Mode, Tier
from gpu_worker.control.curve import Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The law's parameters. Those below `tiers` are no settings: only a benchmark that runs faster
    than real time changes them.

    target_s: a shopper should have her picture within so long.
    cold_start_s: from the request for a worker to its first step.
    batch_size: the slots while nothing is learned.
    """

    law: Law = Law.LEARNED
    target_s: float = 10.0
    cold_start_s: float = 60.0
    batch_size: int = DEFAULT_BATCH_SIZE
    max_wait_ms: int = 100
    tiers: tuple[Tier, ...] = LADDER
    window_s: float = 300.0  # arrivals are averaged over it
    backlog_s: float = 60.0  # waiting jobs should be drawn within it
    calm_s: float = 5.0  # time constant of the moving average of waiting jobs
    ease_s: float = 5.0  # a better tier must be easy for so long before it is taken
    long_wait_s: float = 10.0  # the law of thresholds takes the last tier above this average wait
    drain_s: float = 10.0  # seconds of backlog for each present worker that ask for no new one


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One worker, from its heartbeat. `held`: jobs it has claimed; `live`: those of them that a
    shopper waits for. `curves`: by size; `steps`: how many a picture really takes, by tier."""

    device: str = ""
    max_slots: int = 1
    held: int = 0
    live: int = 0
    curves: Mapping[str, Curve] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An operator's numbers in the law's place; None leaves one to the law. False if all are."""

    batch_size: int | None = None
    tier: str | None = None
    mode: Mode | None = None

    def __bool__(self) -> bool:
        return any(word is not None for word in (self.batch_size, self.tier, self.mode))


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One engine at one moment. `arrived`: jobs ever enqueued; `average_wait_s`: how long the
    waiting jobs have waited so far."""

    live_waiting: int = 0
    bulk_waiting: int = 0
    average_wait_s: float = 0.0
    arrived: int = 0
    workers: tuple[Seen, ...] = ()
    override: Override = Override()

    @property
    def waiting(self) -> int:
        return self.live_waiting + self.bulk_waiting


@dataclass(frozen=True, slots=True)
class Memory:
    """What the law remembers of one engine between calls. Times are Unix seconds.

    counts: (time, jobs ever arrived), oldest first.
    rung: index of the tier in force.
    easy_since: since when the next better tier has been easy; None: it is not.
    slots: those in force; 0: none yet.
    backlog: the moving average of waiting jobs, and `looked_at`, when it was last updated.
    """

    counts: tuple[tuple[float, int], ...] = ()
    rung: int = 0
    easy_since: float | None = None
    slots: int = 0
    backlog: float = 0.0
    looked_at: float = float("-inf")
