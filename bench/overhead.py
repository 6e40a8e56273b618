"""End-to-end latency beyond engine and store: `python -m bench.overhead`.

Starts the whole local stack with the null engine, which sleeps a known time, and lets a shopper try
on again and again, with 1 and with 200 sockets open, alternately, so that noise of the machine
affects both. For comparison it also polls once a second, as a page without a socket would.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import redis

from bench.shoppers import Shopper, small_photo
from bench.stack import ROOT, RunningStack, running_stack
from gpu_worker.contract import EVENTS, Event, EventType

PHOTO = ROOT / "embed/demo/static/person_anna.jpg"
CURVE = "2,8,4"  # ms: a step of b samples takes 2 + 8·b; four steps a picture
POLL_S = 1.0


@dataclass(slots=True)
class Marks:
    """Milliseconds of each try-on, a list for each part of the way."""

    accepted: list[float] = field(default_factory=list)
    enqueue_to_start: list[float] = field(default_factory=list)
    done_to_frame: list[float] = field(default_factory=list)
    beyond_engine: list[float] = field(default_factory=list)
    beyond_carrying: list[float] = field(default_factory=list)

    def rows(self) -> Iterator[tuple[str, list[float]]]:
        yield "POST -> 202", self.accepted
        yield "enqueue -> start", self.enqueue_to_start
        yield "done -> frame at the client", self.done_to_frame
        yield "whole road beyond engine time", self.beyond_engine
        yield "... and store, decode, encode", self.beyond_carrying


class Diary:
    """The workers' own events, read from the stream."""

    def __init__(self, url: str):
        self._redis: redis.Redis = redis.Redis.from_url(url)

    def of(self, try_on_id: str, kind: EventType) -> Event:
        entries: Any = self._redis.xrevrange(EVENTS, count=1000)
        for _, fields in entries:
            event = Event.from_json(fields[b"event"])
            if event.id == try_on_id and event.type is kind:
                return event
        raise SystemExit(f"no {kind} event of {try_on_id}")


def measure_one(shopper: Shopper, diary: Diary, photo_id: str, garment_id: str, to: Marks) -> None:
    """One try-on; appends its times to the marks."""
    asked = time.time()
    try_on_id = shopper.try_on(photo_id, garment_id)
    accepted = time.time()
    arrived, frame = shopper.hear(
        lambda f: f["id"] == try_on_id and f["type"] in ("succeeded", "failed")
    )
    if frame["type"] != "succeeded":
        raise SystemExit(f"a try-on failed: {frame}")
    done = diary.of(try_on_id, EventType.SUCCEEDED)
    beyond = (arrived - asked) * 1000 - done.data["model_ms"]
    to.accepted.append((accepted - asked) * 1000)
    to.enqueue_to_start.append(frame["timings_ms"]["queue"])
    to.done_to_frame.append(arrived * 1000 - done.at_ms)
    to.beyond_engine.append(beyond)
    to.beyond_carrying.append(beyond - done.data["carry_ms"])


def measure_polling(shopper: Shopper, diary: Diary, photo_id: str, garment_id: str) -> float:
    """Milliseconds from done to seen, for a page that polls once a second."""
    try_on_id = shopper.try_on(photo_id, garment_id)
    while shopper.call("GET", f"/v1/try-ons/{try_on_id}")["status"] != "succeeded":
        time.sleep(POLL_S)
    return time.time() * 1000 - diary.of(try_on_id, EventType.SUCCEEDED).at_ms


@contextmanager
def crowd(stack: RunningStack, count: int) -> Iterator[None]:
    """`count` shoppers with open sockets who only wait."""
    waiting = [Shopper(stack) for _ in range(count)]
    try:
        for shopper in waiting:
            shopper.listen()
        yield
    finally:
        for shopper in waiting:
            shopper.leave()


def percentile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def run(sockets: tuple[int, int], rounds: int, each: int) -> None:
    with running_stack(PROTEUS_ENGINE="null", PROTEUS_NULL_CURVE=CURVE) as stack:
        active, diary = Shopper(stack), Diary(stack.env["REDIS_URL"])
        active.listen()
        photo_id = active.give_photo(small_photo(str(PHOTO)))
        garment_id = ready_garment(stack, active)
        marks = {count: Marks() for count in sockets}
        polled: list[float] = []
        measure_one(active, diary, photo_id, garment_id, Marks())  # warm-up, not counted
        for _ in range(rounds):
            for count in sockets:
                with crowd(stack, count - 1):
                    for _ in range(each):
                        measure_one(active, diary, photo_id, garment_id, marks[count])
            polled += [measure_polling(active, diary, photo_id, garment_id) for _ in range(3)]
        active.leave()
    report(marks, polled)


def ready_garment(stack: RunningStack, shopper: Shopper) -> str:
    """A garment that the tailor has finished."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = shopper.call("GET", "/v1/garments")["garments"]
        ready: list[dict[str, Any]] = [g for g in found if g["status"] == "ready"]
        if ready:
            return str(ready[0]["id"])
        time.sleep(0.2)
    raise SystemExit("no garment became ready")


def report(marks: dict[int, Marks], polled: list[float]) -> None:
    few, many = sorted(marks)
    print(f"{datetime.now(UTC):%Y-%m-%d} · {platform.machine()}, {os.cpu_count()} cores")
    print(f"null engine {CURVE} · {len(marks[few].accepted)} try-ons each · milliseconds")
    print(f"{'':34} {few:>4} socket{'s' if few > 1 else ' '}  {many:>4} sockets  ratio of p50")
    for (name, one), (_, other) in zip(marks[few].rows(), marks[many].rows(), strict=True):
        ratio = percentile(other, 0.5) / max(1.0, percentile(one, 0.5))
        print(f"{name:34} {_pair(one)}   {_pair(other)}   {ratio:.2f}x")
    pushed = percentile(marks[few].done_to_frame, 0.5)
    seen = percentile(polled, 0.5)
    print(f"polled once a second, done -> seen: p50 {seen:.0f} ms, {seen / pushed:.0f}x the push")


def _pair(values: list[float]) -> str:
    return f"{percentile(values, 0.5):5.0f}/{percentile(values, 0.95):<5.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sockets", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--each", type=int, default=15)
    asked = parser.parse_args()
    run((1, asked.sockets), asked.rounds, asked.each)


if __name__ == "__main__":
    main()
