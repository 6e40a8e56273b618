"""Accuracy of the ETA that shoppers see: `python -m bench.eta`.

Starts the whole local stack with the null engine, which sleeps a known time, and lets shoppers ask
for pictures at random moments at a steady load. Compares every ETA, at the request and while she
waits, with the moment at which the picture came. The baseline is the median time of all pictures,
which knows no queue.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bench.overhead import PHOTO, ready_garment
from bench.shoppers import Shopper, small_photo
from bench.stack import RunningStack, running_stack

CURVE = "3,60,20"  # ms: a step of b samples takes 3 + 60·b, 20 steps; a full GPU, shrunk in time
PICTURE_S = 1.26
TARGET_S = "120"  # so long that the tier never changes: only the ETA is measured
SHOPPERS = 8
SEED = 7


@dataclass(slots=True)
class Wait:
    """One try-on. `told`: (moment, ETA in seconds) as she received them, the 202's first."""

    asked_at: float
    told: list[tuple[float, float]] = field(default_factory=list)
    came_at: float = 0.0

    def errors(self, told: Sequence[tuple[float, float]]) -> list[float]:
        """Relative errors of these ETAs; those at the very end are not counted."""
        lefts = [(said, self.came_at - at) for at, said in told]
        return [abs(said - left) / left for said, left in lefts if left > PICTURE_S / 4]

    def jumps(self) -> list[float]:
        """By which factor each ETA exceeds what was left of the one before it."""
        pairs = zip(self.told, self.told[1:], strict=False)
        lefts = [(said - (later - at), now) for (at, said), (later, now) in pairs]
        return [now / left for left, now in lefts if left > PICTURE_S]


def wait_for_one(shopper: Shopper, photo_id: str, garment_id: str) -> Wait | None:
    """Asks for a picture and waits until it is there. None: the server gave no ETA yet."""
    wait = Wait(time.time())
    try_on_id = shopper.try_on(photo_id, garment_id)
    came_at, _ = shopper.hear(lambda f: f["id"] == try_on_id and f["type"] == "succeeded")
    wait.came_at = came_at
    mine = [(at, f) for at, f in shopper.frames if f["id"] == try_on_id and at < came_at]
    wait.told = [(at, f["eta_s"]) for at, f in mine if f.get("eta_s") is not None]
    return wait if wait.told else None


def steady(stack: RunningStack, pictures: int, load: float) -> list[Wait]:
    """Open-loop load: requests come at random (Poisson), whether or not earlier ones are done."""
    people = [Shopper(stack) for _ in range(SHOPPERS)]
    photo = small_photo(str(PHOTO))
    for person in people:
        person.listen()
    photos = [person.give_photo(photo) for person in people]
    garment = ready_garment(stack, people[0])
    dice = random.Random(SEED)
    pause = threading.Event()
    with ThreadPoolExecutor(64) as crowd:
        asked = []
        for count in range(pictures):
            n = count % SHOPPERS
            asked.append(crowd.submit(wait_for_one, people[n], photos[n], garment))
            pause.wait(dice.expovariate(load / PICTURE_S))
        waits = [one.result() for one in asked]
    for person in people:
        person.leave()
    return [wait for wait in waits if wait is not None]


def report(waits: list[Wait], learning: int) -> None:
    known = waits[learning:]
    took = [wait.came_at - wait.asked_at for wait in known]
    usual = statistics.median(took)
    first = [error for wait in known for error in wait.errors(wait.told[:1])]
    every = [error for wait in known for error in wait.errors(wait.told)]
    blind = [abs(usual - one) / one for one in took]
    jumps = [jump for wait in known for jump in wait.jumps()]
    print(f"{len(known)} pictures, p50 {usual:.1f} s, longest {max(took):.1f} s")
    print(f"median error of the first time told   {statistics.median(first):6.1%}   (aim: 20 %)")
    print(f"median error of all {len(every):5} times told  {statistics.median(every):6.1%}")
    print(f"median error of the median of all     {statistics.median(blind):6.1%}   (beside it)")
    print(f"highest jump up                       {max(jumps, default=1):6.2f} x (aim: 1.20)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=150)
    parser.add_argument("--load", type=float, default=0.8, help="share of what the engine can do")
    asked = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d} · {platform.machine()}, {os.cpu_count()} cores")
    print(f"null engine {CURVE} · load {asked.load:g}")
    with running_stack(
        PROTEUS_ENGINE="null", PROTEUS_NULL_CURVE=CURVE, PROTEUS_TARGET_S=TARGET_S
    ) as stack:
        report(steady(stack, asked.pictures, asked.load), learning=asked.pictures // 5)


if __name__ == "__main__":
    main()
