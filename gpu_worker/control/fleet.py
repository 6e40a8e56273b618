"""Speed of an engine's workers together at each tier, from their curves.

Pure. Workers pull jobs, so a faster one draws more: what counts is the mean of their speeds, not of
their times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gpu_worker.contract import Tier
from gpu_worker.control.curve import Curve
from gpu_worker.control.view import Seen, Terms


@dataclass(frozen=True, slots=True)
class Rung:
    """A tier with its speed. `picture_s[b - 1]`: seconds of a picture from its first step to its
    end while b samples share an average worker's steps; empty while nothing is learned."""

    tier: Tier
    picture_s: tuple[float, ...] = ()

    def at(self, batch: int) -> float:
        return self.picture_s[min(max(batch, 1), len(self.picture_s)) - 1]

    @property
    def rates_per_s(self) -> tuple[float, ...]:
        """Pictures a second of one worker, by the number of samples that share its steps."""
        return tuple(b / s for b, s in enumerate(self.picture_s, start=1))

    @property
    def quickest(self) -> int:
        """The number of slots with the highest throughput."""
        return self.rates_per_s.index(max(self.rates_per_s)) + 1


def rungs(workers: Sequence[Seen], terms: Terms) -> list[Rung]:
    """The tiers of this engine with their speeds, best first; an engine of one step has one."""
    one_step = any(steps == 1 for seen in workers for steps in seen.steps.values())
    tiers = terms.tiers[:1] if one_step else terms.tiers
    return [Rung(tier, _picture_s(workers, tier, terms)) for tier in tiers]


def _picture_s(workers: Sequence[Seen], tier: Tier, terms: Terms) -> tuple[float, ...]:
    most = max((seen.max_slots for seen in workers), default=0)
    each = [own for seen in workers if (own := _own_picture_s(seen, tier, terms))]
    return tuple(_mean(each, batch) for batch in range(1, most + 1)) if each else ()


def _mean(each: Sequence[tuple[float, ...]], batch: int) -> float:
    speed = sum(min(batch, len(own)) / own[min(batch, len(own)) - 1] for own in each)
    return batch * len(each) / speed


def _own_picture_s(seen: Seen, tier: Tier, terms: Terms) -> tuple[float, ...]:
    """One worker's seconds of a picture, by the number b under way. Each also waits for the work of
    all b outside their steps (`around`)."""
    curve, share = _curve_of(seen.curves, tier)
    steps, around_ms = _steps_of(seen.steps, tier, terms), curve.around_ms * share
    times_ms = curve.times_ms(seen.max_slots)
    return tuple(
        max(steps * ms * share + b * around_ms, 0.001) / 1000
        for b, ms in enumerate(times_ms, start=1)
    )


def _curve_of(curves: Mapping[str, Curve], tier: Tier) -> tuple[Curve, float]:
    """The curve of the tier's size with factor 1; else that of the nearest size, with the ratio of
    pixels as the factor of its times."""
    known = {size: curve for size, curve in curves.items() if curve}
    if tier.size in known or not known:
        return known.get(tier.size, Curve()), 1.0
    asked = tier.width_px * tier.height_px
    nearest = min(known, key=lambda size: abs(_pixels(size, asked) - asked))
    return known[nearest], asked / _pixels(nearest, asked)


def _pixels(size: str, otherwise: int) -> int:
    """Pixels of `<width>x<height>`; `otherwise` for the tailor's sizes, which are words."""
    width, _, height = size.partition("x")
    return int(width) * int(height) if width.isdigit() and height.isdigit() else otherwise


def _steps_of(seen: Mapping[str, int], tier: Tier, terms: Terms) -> int:
    """Steps of a picture at this tier: as reported; else the tier's own number, corrected by the
    ratio reported for another tier."""
    if tier.name in seen:
        return seen[tier.name]
    for other in terms.tiers:
        if other.name in seen:
            return max(1, round(seen[other.name] * tier.steps / other.steps))
    return min(seen.values(), default=tier.steps)
