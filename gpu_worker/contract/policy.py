"""What the arbitrator wants of an engine's workers, and the rungs of quality it may choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum


class Mode(StrEnum):
    """The policy in one word, for people. `vip`: latency first; `economy`: throughput; `surge`:
    all the throughput there is; `degraded`: pictures of a lower tier."""

    VIP = "vip"
    ECONOMY = "economy"
    SURGE = "surge"
    DEGRADED = "degraded"


class Law(StrEnum):
    """Which law made a policy. `override`: an operator; `own`: a worker that hears of none."""

    LEARNED = "learned"
    THRESHOLDS = "thresholds"
    OVERRIDE = "override"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Tier:
    """A rung of quality: how many steps, at which size. An engine of one step ignores it."""

    name: str
    steps: int
    width_px: int
    height_px: int

    @property
    def size(self) -> str:
        """Samples of one size may share a forward pass."""
        return f"{self.width_px}x{self.height_px}"


# Best first. What the lower rungs cost in quality is unproven until it is measured.
LADDER = (
    Tier("full", 50, 768, 1024),
    Tier("steps_30", 30, 768, 1024),
    Tier("steps_20", 20, 768, 1024),
    Tier("small", 20, 384, 512),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`batch_size`: samples in one step, the slots. `tier`: the rung of whoever is admitted now.
    `ts`: Unix seconds at which it was made. `picture_s`: predicted seconds of one picture from its
    first step to its end; `rate_per_s`: pictures a second of all workers together, both at this
    size and tier, 0 where nothing is learned. `predicted_s`: what who comes now must expect.
    `retry_after_s`: more than 0 says that who comes now is better sent away for so long."""

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
        """None where nothing readable stands; what is missing is as `otherwise` has it, else its
        default."""
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
