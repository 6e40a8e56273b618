"""The devices that the benchmark simulates, and how many times faster than real time it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gpu_worker.config import Settings
from gpu_worker.contract import LADDER, Tier
from gpu_worker.control import Terms

FULL = LADDER[0]
SMALL_GAIN = 7.0  # a step at 384x512 beside one at 768x1024
MAX_SLOTS = 8
LEAST_S = 0.05  # with shorter turns the benchmark's own CPU would be measured


@dataclass(frozen=True, slots=True)
class Profile:
    """One device. `step_ms(b)`: of a step of b samples at full size; the benchmark sleeps it,
    `hurry` times as fast."""

    name: str
    step_ms: Callable[[int], float]
    hurry: float

    def slept_ms(self, size: str, batch: int) -> float:
        full = self.step_ms(batch) / self.hurry
        return full if size == FULL.size else full / SMALL_GAIN

    def picture_s(self, batch: int = 1) -> float:
        """Seconds of a picture on that device, at full quality."""
        return FULL.steps * self.step_ms(batch) / 1000

    @property
    def most_per_s(self) -> float:
        return max(batch / self.picture_s(batch) for batch in range(1, MAX_SLOTS + 1))


PROFILES = {
    "A": Profile("A", lambda b: 3 + 60 * b, 10.0),
    "B": Profile("B", lambda b: 7.3 + 12.9 * b, 10.0),
    "C": Profile("C", lambda b: max(43.2, 9 + 16.8 * b), 10.0),
}


def hurried(terms: Terms, hurry: float) -> Terms:
    """The law's parameters with all times divided by `hurry`."""
    return replace(
        terms,
        target_s=terms.target_s / hurry,
        cold_start_s=terms.cold_start_s / hurry,
        window_s=terms.window_s / hurry,
        backlog_s=terms.backlog_s / hurry,
        calm_s=terms.calm_s / hurry,
        ease_s=terms.ease_s / hurry,
        long_wait_s=terms.long_wait_s / hurry,
        drain_s=terms.drain_s / hurry,
    )


def turn_s(real_s: float, hurry: float) -> float:
    return max(LEAST_S, real_s / hurry)


def settings_of(terms: Terms, url: str) -> Settings:
    """A worker's settings whose law has exactly these parameters."""

    class Hurried(Settings):
        __slots__ = ()

        @property
        def terms(self) -> Terms:
            return terms

    return Hurried(redis_url=url, tiers=terms.tiers)


def tiers_of(names: str) -> tuple[Tier, ...]:
    """`all` tiers of the ladder, or only the `best` one."""
    return LADDER if names == "all" else LADDER[:1]
