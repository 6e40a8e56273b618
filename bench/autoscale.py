"""Autoscaling over a day with a sale, as a discrete-event simulation: `python -m bench.autoscale`.

Two triggers scale for the same shoppers: the length of the list, as KEDA's Redis trigger does it,
and the arbitrator's own law (`control.wanted`). No process runs, and time is simulated; quality
stays at its best, so that only scaling differs. Also `make bench-autoscale`.
"""

from __future__ import annotations

import argparse
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import ceil, cos, pi
from pathlib import Path
from statistics import quantiles

from bench.autoscale_figure import Line, draw
from gpu_worker.control import Memory, Terms, remember, wanted
from gpu_worker.control.arrivals import mean_per_s

DAY_S = 86_400
POLL_S = 30.0
CALM_S = 300.0  # stabilisation window, as in Kubernetes: scales down to the most wanted within it
LEAST, MOST = 1, 40
LIST_LENGTH = 10
PICTURE_S = 3.15  # of a worker: profile A at full quality
TERMS = Terms(target_s=10.0, cold_start_s=60.0)
QUIET_PER_S, BUSY_PER_S = 0.05, 0.6  # shoppers at four in the morning and at four in the afternoon
SALE = (12 * 3600, 14 * 3600, 4.0)
FIGURE = Path(__file__).parents[1] / "docs" / "autoscale.svg"


def rate_per_s(at: float) -> float:
    wave = (1 - cos(2 * pi * (at - 4 * 3600) / DAY_S)) / 2
    usual = QUIET_PER_S + (BUSY_PER_S - QUIET_PER_S) * wave
    begins, ends, times = SALE
    return usual * (times if begins <= at < ends else 1.0)


def shoppers(seed: int, until_s: float = DAY_S) -> list[float]:
    """Their arrival times: an inhomogeneous Poisson process, by thinning."""
    dice, peak, at, came = random.Random(seed), BUSY_PER_S * SALE[2], 0.0, []
    while (at := at + dice.expovariate(peak)) < until_s:
        if dice.random() < rate_per_s(at) / peak:
            came.append(at)
    return came


@dataclass(slots=True)
class Floor:
    """The state of one simulation: its workers, and what happened to its shoppers."""

    ready: int = LEAST
    starting: int = 0
    busy: int = 0
    leaving: int = 0  # they draw their last picture
    waiting: deque[float] = field(default_factory=deque)
    came: int = 0
    took_s: list[tuple[float, float]] = field(default_factory=list)  # came at, seconds
    workers: list[tuple[float, int]] = field(default_factory=list)  # at, paid for
    paid_s: float = 0.0

    @property
    def paid(self) -> int:
        return self.ready + self.starting


Trigger = Callable[[Floor, float], int]


def by_list_length(floor: Floor, _now: float) -> int:
    """A worker for each ten waiting jobs; running jobs are not in the list."""
    return ceil(len(floor.waiting) / LIST_LENGTH)


def by_predicted_drain() -> Trigger:
    """The arbitrator's law as a trigger."""
    memory = Memory()

    def trigger(floor: Floor, now: float) -> int:
        nonlocal memory
        memory = remember(memory, floor.came, now, TERMS)
        return wanted(
            arrivals_per_s=mean_per_s(memory.counts, TERMS),
            worker_s=PICTURE_S,
            work_s=(len(floor.waiting) + floor.busy / 2) * PICTURE_S,
            workers=floor.ready,
            terms=TERMS,
        )

    return trigger


class Replay:
    """The simulation of one day under one trigger."""

    def __init__(self, trigger: Trigger, came: Sequence[float]):
        self._trigger = trigger
        self._floor = Floor()
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._wishes: deque[tuple[float, int]] = deque()
        self._last = 0.0
        self._ends = came[-1] if came else 0.0
        for at in came:
            self._at(at, self._arrive)
        self._at(0.0, self._poll)

    def _at(self, when: float, what: Callable[[float], None]) -> None:
        heappush(self._events, (when, next(self._order), what))

    def run(self) -> Floor:
        while self._events:
            now, _, happen = heappop(self._events)
            self._floor.paid_s += self._floor.paid * (now - self._last)
            self._last = now
            happen(now)
        return self._floor

    def _arrive(self, now: float) -> None:
        self._floor.came += 1
        self._floor.waiting.append(now)
        self._serve(now)

    def _serve(self, now: float) -> None:
        floor = self._floor
        while floor.waiting and floor.busy < floor.ready:
            came = floor.waiting.popleft()
            floor.busy += 1
            floor.took_s.append((came, now + PICTURE_S - came))
            self._at(now + PICTURE_S, self._finish)

    def _finish(self, now: float) -> None:
        floor = self._floor
        floor.busy -= 1
        if floor.leaving:
            floor.leaving -= 1
            floor.ready -= 1
        self._serve(now)

    def _poll(self, now: float) -> None:
        """Asks the trigger; scales up at once, down only within the stabilisation window."""
        floor = self._floor
        self._wishes.append((now, self._trigger(floor, now)))
        while self._wishes[0][0] < now - CALM_S:
            self._wishes.popleft()
        wish, calm = self._wishes[-1][1], max(wish for _, wish in self._wishes)
        have = floor.paid - floor.leaving
        asked = min(MOST, max(LEAST, wish if wish > have else min(calm, have)))
        self._scale(asked - have, now)
        floor.workers.append((now, floor.paid))
        if now < self._ends or floor.waiting or floor.busy:
            self._at(now + POLL_S, self._poll)

    def _scale(self, by: int, now: float) -> None:
        floor = self._floor
        for _ in range(by):
            if floor.leaving:
                floor.leaving -= 1  # it may stay
            else:
                floor.starting += 1
                self._at(now + TERMS.cold_start_s, self._start)
        for _ in range(-by):
            if floor.ready - floor.leaving > floor.busy:
                floor.ready -= 1
            else:
                floor.leaving += 1

    def _start(self, now: float) -> None:
        self._floor.starting -= 1
        self._floor.ready += 1
        self._serve(now)


def p(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def report(name: str, floor: Floor, price: float) -> None:
    for label, within in (("", (0, DAY_S)), ("  during the sale", SALE[:2])):
        took = [s for at, s in floor.took_s if within[0] <= at < within[1]]
        in_time = sum(s <= TERMS.target_s for s in took) / len(took)
        hours = floor.paid_s / 3600
        paid = f"{hours:10.1f} {hours * price:8.2f}" if not label else ""
        print(
            f"{(label or name):26} {len(took):8d} {p(took, 50):7.1f} {p(took, 95):8.1f}"
            f" {in_time:8.1%} {paid}"
        )


def by_minutes(floor: Floor, minutes: int = 10) -> list[tuple[float, float]]:
    """(hour, 95th percentile of seconds) of those who came within each stretch, at its middle."""
    stretch = minutes * 60
    groups: dict[int, list[float]] = {}
    for at, took in floor.took_s:
        groups.setdefault(int(at // stretch), []).append(took)
    return [
        ((n + 0.5) * stretch / 3600, p(took, 95) if len(took) > 1 else took[0])
        for n, took in sorted(groups.items())
    ]


def figure(floors: dict[str, Floor], path: Path) -> None:
    needed = [(at / 3600, rate_per_s(at) * PICTURE_S) for at in range(0, DAY_S + 1, 300)]
    hours = {
        name: [(at / 3600, float(paid)) for at, paid in floor.workers if at <= DAY_S]
        for name, floor in floors.items()
    }
    (first, second) = floors
    path.write_text(
        draw(
            workers=[
                Line("needed", "needed if never idle", needed),
                Line("first", first, hours[first], steps=True),
                Line("second", second, hours[second], steps=True),
            ],
            waits=[
                Line("first", first, by_minutes(floors[first])),
                Line("second", second, by_minutes(floors[second])),
            ],
            target_s=TERMS.target_s,
            sale_h=(SALE[0] / 3600, SALE[1] / 3600),
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.autoscale", description=__doc__)
    parser.add_argument("--price", type=float, default=2.0, help="of a GPU-hour")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    asked = parser.parse_args()
    came = shoppers(asked.seed)
    floors = {
        "list length 10": Replay(by_list_length, came).run(),
        "predicted drain": Replay(by_predicted_drain(), came).run(),
    }
    print(f"{len(came)} shoppers, {PICTURE_S} s of a worker each, a sale x4 from 12 to 14 o'clock")
    print(f"poll {POLL_S:.0f} s, cold start {TERMS.cold_start_s:.0f} s, {LEAST} to {MOST} workers,")
    print(f"target {TERMS.target_s:.0f} s, a GPU-hour at {asked.price:.2f}, seed {asked.seed}\n")
    print(
        f"{'':26} {'shoppers':>8} {'p50 s':>7} {'p95 s':>8} {'in time':>8} {'GPU-hours':>10} cost"
    )
    for name, floor in floors.items():
        report(name, floor, asked.price)
    figure(floors, asked.figure)


if __name__ == "__main__":
    main()
