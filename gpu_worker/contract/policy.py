"""The policy: what the arbitrator tells an engine's workers, and the tiers it may choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum


class Mode(StrEnum):
    """A policy's summary in one word, for people. `vip`: latency first; `economy`: throughput;
    `surge`: the most throughput there is; `degraded`: pictures of a lower tier."""

    VIP = "vip"
    ECONOMY = "economy"
    SURGE = "surge"
    DEGRADED = "degraded"


class Law(StrEnum):
    """Which control law made a policy. `override`: an operator's numbers; `own`: a worker's own
    decision, while no arbitrator publishes one."""

    LEARNED = "learned"
    THRESHOLDS = "thresholds"
    OVERRIDE = "override"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Tier:
    """A quality level: how many steps, at which size. An engine of one step ignores it."""

    name: str
    steps: int
    width_px: int
    height_px: int

    @property
    def size(self) -> str:
        """`<width>x<height>`: samples of one size may share a forward pass."""
        return f"{self.width_px}x{self.height_px}"


# Best first. How much quality the lower tiers lose has not been measured.
LADDER = (
    Tier("full", 50, 768, 1024),
    Tier("steps_30", 30, 768, 1024),
    Tier("steps_20", 20, 768, 1024),
    Tier("small", 20, 384, 512),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Control output for one engine, written by the arbitrator, read by its workers and the server.

    batch_size: slots, the samples in one step.
    tier: the quality level of samples admitted from now on.
    ts: when it was made, Unix seconds.
    picture_s: predicted seconds of one picture from its first step to its end.
    rate_per_s: predicted pictures a second of all workers together. Both 0 until a curve is known.
    predicted_s: predicted seconds until the picture of a job that arrives now.
    retry_after_s: load shedding: above 0, new jobs should be refused for so long.
    """

    batch_size: int
    tier: str = LADDER[0].name
    mode: Mode = Mode.VIP
    law: Law = Law.LEARNED
    max_wait_ms: int = 100
    ts: float = 0.0
    picture_s: float = 0.0
    rate_per_s: float = 0.0
    predicted_s: float = 0.0
    retry_after_s: float = 0.0

    def to_redis(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_redis(
        cls, hash_: Mapping[bytes, bytes], otherwise: Policy | None = None
    ) -> Policy | None:
        """Missing fields are taken from `otherwise`, else they have their defaults. None if a field
        cannot be read, or without `otherwise` if `batch_size` is missing."""
        words = {key.decode(): value.decode() for key, value in hash_.items()}
        try:
            given = {name: read(words[name]) for name, read in _FIELDS.items() if name in words}
            return replace(otherwise, **given) if otherwise else cls(**given)
        except (ValueError, TypeError):
            return None


_FIELDS = {
    "batch_size": int,
    "tier": str,
    "mode": Mode,
    "law": Law,
    "max_wait_ms": int,
    "ts": float,
    "picture_s": float,
    "rate_per_s": float,
    "predicted_s": float,
    "retry_after_s": float,
}
