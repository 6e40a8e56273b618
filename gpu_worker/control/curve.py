"""Latency model: what a step of b samples takes on one device, learned from workers' reports.

Pure. A report is already a worker's median. The last few by batch size are kept and their median
counts, so that one outlier changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from statistics import median

KEPT = 9
_AROUND = "around"


@dataclass(frozen=True, slots=True)
class Curve:
    """The last reports, in ms, oldest first. `steps`: of a step, by batch size; `around`: of a
    picture's engine time outside its steps."""

    steps: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    around: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.steps)

    @property
    def around_ms(self) -> float:
        return median(self.around) if self.around else 0.0

    def with_step(self, batch: int, took_ms: float) -> Curve:
        kept = _kept(self.steps.get(batch, ()), took_ms)
        return replace(self, steps={**self.steps, batch: kept})

    def with_around(self, took_ms: float) -> Curve:
        return replace(self, around=_kept(self.around, took_ms))

    def times_ms(self, most: int) -> tuple[float, ...]:
        """Predicted ms of a step for 1 … `most` samples; empty while nothing is known.

        Never falls with the batch size, and is never more than the same samples would take in
        smaller batches.
        """
        known = self._known()
        if not known:
            return ()
        slope = _slope(known)
        return tuple(_read(known, slope, batch) for batch in range(1, most + 1))

    def _known(self) -> list[tuple[int, float]]:
        """(batch size, ms) of what was measured: medians, made monotonic.

        A size that seems slower than the same samples in smaller batches gets their time instead:
        otherwise one bad first report would keep that size from ever being tried again.
        """
        sizes = sorted(self.steps)
        medians = [median(self.steps[b]) for b in sizes]
        known: list[tuple[int, float]] = []
        for b, ms in zip(sizes, _rising(medians, [len(self.steps[b]) for b in sizes]), strict=True):
            # `at` ms for `of` samples: in batches of that size, b samples take at * b / of.
            most = min((at * b / of for of, at in known), default=ms)
            known.append((b, min(ms, most)))
        return known

    def to_redis(self) -> dict[str, str]:
        words = {str(batch): _join(reports) for batch, reports in self.steps.items()}
        return words | ({_AROUND: _join(self.around)} if self.around else {})

    @classmethod
    def from_redis(cls, hash_: Mapping[bytes, bytes]) -> Curve:
        """Fields that cannot be read are left out: they will be learned again."""
        curve = cls()
        for name, text in hash_.items():
            reports = _split(text.decode())
            if name == _AROUND.encode():
                curve = replace(curve, around=reports)
            elif name.isdigit() and int(name) > 0 and reports:
                curve = replace(curve, steps={**curve.steps, int(name): reports})
        return curve


def _kept(reports: tuple[float, ...], new: float) -> tuple[float, ...]:
    return (*reports, new)[-KEPT:]


def _join(reports: tuple[float, ...]) -> str:
    return " ".join(f"{ms:.3f}" for ms in reports)


def _split(text: str) -> tuple[float, ...]:
    try:
        reports = tuple(float(word) for word in text.split())
    except ValueError:
        return ()
    return reports[-KEPT:] if all(0 <= ms < 1e9 for ms in reports) else ()


def _rising(values: list[float], weights: list[int]) -> list[float]:
    """Isotonic regression: the nearest sequence that never falls (pool adjacent violators)."""
    pools: list[tuple[float, int, int]] = []  # mean, weight, how many values
    for value, weight in zip(values, weights, strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, heavy, count = pools.pop()
            total = heavy + pool[1]
            pool = ((mean * heavy + pool[0] * pool[1]) / total, total, count + pool[2])
        pools.append(pool)
    return [mean for mean, _, count in pools for _ in range(count)]


def _slope(known: list[tuple[int, float]]) -> float:
    """Ms per additional sample (Theil–Sen estimator: the median slope of all pairs).

    From one point no slope follows. Then the fixed part of a step is assumed to cost as much as one
    sample, so that larger batches look good enough to be tried.
    """
    if len(known) == 1:
        batch, ms = known[0]
        return ms / (batch + 1)
    return median((y - x) / (n - b) for (b, x), (n, y) in combinations(known, 2))


def _read(known: list[tuple[int, float]], slope: float, batch: int) -> float:
    """Linear between measured sizes; beyond them by the slope, bounded by proportionality."""
    first, first_ms = known[0]
    last, last_ms = known[-1]
    if batch <= first:  # fewer samples never cost less than their share
        return max(first_ms - slope * (first - batch), first_ms * batch / first)
    if batch >= last:  # one more sample never costs more than the mean of those before
        return last_ms + min(slope, last_ms / last) * (batch - last)
    (low, x), (high, y) = next(
        pair for pair in pairwise(known) if pair[0][0] <= batch <= pair[1][0]
    )
    return x + (y - x) * (batch - low) / (high - low)
