"""What the law looks at, what it remembers, and its numbers. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gpu_worker.contract import DEFAULT_BATCH_SIZE, LADDER, Law, Mode, Tier
from gpu_worker.control.curve import Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The law's numbers; those below `tiers` are given by the design and only a benchmark that
    runs faster than time changes them.

    target_s: within so long a shopper should have her picture. cold_start_s: from asking for a
    worker to its first step. batch_size: the slots while nothing is learned.
    """

    law: Law = Law.LEARNED
    target_s: float = 10.0
    cold_start_s: float = 60.0
    batch_size: int = DEFAULT_BATCH_SIZE
    max_wait_ms: int = 100
    tiers: tuple[Tier, ...] = LADDER
    window_s: float = 300.0  # over which arrivals are averaged
    backlog_s: float = 60.0  # within which what waits shall be gone
    calm_s: float = 5.0  # over which what waits is averaged for that
    ease_s: float = 5.0  # so long it must be easy before the pictures get better
    long_wait_s: float = 10.0  # thresholds: an average wait beyond it degrades
    drain_s: float = 10.0  # work that the workers there are will do before new ones could help


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One worker. `held`: jobs it has claimed; `live`: those of them that a shopper waits for.
    `curves` by size; `steps`: by tier, how many its pictures really took."""

    device: str = ""
    max_slots: int = 1
    held: int = 0
    live: int = 0
    curves: Mapping[str, Curve] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What an operator holds fast; None leaves it to the law."""

    batch_size: int | None = None
    tier: str | None = None
    mode: Mode | None = None

    def __bool__(self) -> bool:
        return any(word is not None for word in (self.batch_size, self.tier, self.mode))


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One engine at one moment. `arrived`: jobs ever put in line; `average_wait_s`: how long those
    that wait have waited."""

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
    """`counts`: (time, jobs ever arrived), oldest first. `rung`: index of the tier in force;
    `easy_since`: since when the next better one would do as well; `slots`: those in force, 0 where
    none are; `backlog`: how many wait, without what comes and goes; `looked_at`: when it was seen
    last."""

    counts: tuple[tuple[float, int], ...] = ()
    rung: int = 0
    easy_since: float | None = None
    slots: int = 0
    backlog: float = 0.0
    looked_at: float = float("-inf")
