"""What strangers cost honest shoppers: `python -m bench.strangers`.

Starts the whole local stack with the null engine and four merchants. Shoppers of three honest ones
come one after another, each a new one with an address of her own, upload a photo and ask for a
picture: first alone, then during each flood on the fourth merchant's site, then alone again.
Aim: their p95 during a flood is at most 1.5 times that alone, and none of them is refused.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import quantiles

import httpx
from redis import Redis

from bench.shoppers import Shopper
from bench.stack import ROOT, RunningStack, environment_of, running_stack
from bench.strangers.floods import KINDS, Target
from bench.strangers.shops import Merchant, open_shops
from gpu_worker.contract import TAILOR, Lane, ring_key

PHOTO = ROOT / "embed/demo/static/person_anna.jpg"
CURVE = "20,20,8"  # ms: a step of b samples takes 20 + 20·b; eight steps a picture
HONEST = ["ada", "bea", "cleo"]
REST_S = 1.0  # between two shoppers of a shop
DRAIN_S = 90.0


@dataclass
class Marks:
    """Milliseconds of honest shoppers, and how often one was refused or failed, by reason."""

    photo: list[float] = field(default_factory=list)
    picture: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


class Visitors:
    """Shoppers of one shop, one after another (closed-loop load), each with a new address."""

    def __init__(self, stack: RunningStack, merchant: Merchant, number: int, jpeg: bytes):
        self._stack, self._merchant, self._jpeg = stack, merchant, jpeg
        self._addresses = (f"127.{10 + number}.{n // 250}.{n % 250 + 1}" for n in itertools.count())

    def come(self, until: float, to: Marks) -> None:
        while time.monotonic() < until:
            try:
                self._visit(to)
            except httpx.HTTPStatusError as error:
                to.refused[f"{error.response.status_code} {error.request.url.path}"] += 1
            except (SystemExit, httpx.HTTPError, OSError) as error:
                to.refused[str(error)] += 1
            time.sleep(REST_S)

    def _visit(self, to: Marks) -> None:
        shopper = Shopper(self._stack, self._merchant.shop, next(self._addresses))
        try:
            shopper.listen()
            began = time.perf_counter()
            photo_id = shopper.give_photo(self._jpeg)
            checked = time.perf_counter()
            try_on_id = shopper.try_on(photo_id, self._merchant.garment_id)
            shopper.hear(lambda f: f["id"] == try_on_id and f["type"] == "succeeded")
            to.photo.append((checked - began) * 1000)
            to.picture.append((time.perf_counter() - checked) * 1000)
        finally:
            shopper.leave()


def visit_all(visitors: list[Visitors], seconds: float, to: Marks) -> None:
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=each.come, args=(until, to)) for each in visitors]
    for number, thread in enumerate(threads):
        thread.start()
        time.sleep(REST_S / len(threads) if number + 1 < len(threads) else 0)
    for thread in threads:
        thread.join()


@contextmanager
def flooded(target: Target) -> Iterator[list[str]]:
    """Runs a flood in a process of its own; afterwards the list has the answers it got."""
    said: list[str] = []
    process = subprocess.Popen(
        # Real attackers have machines of their own, so this process gets the lowest priority.
        ["nice", "-n", "19", sys.executable, "-m", "bench.strangers.floods"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        process.stdin.write(target.to_json())
        process.stdin.close()
        if process.stderr.readline() != "flooding\n":
            raise SystemExit(f"the flood {target.kind} did not begin: {process.stderr.read()}")
        yield said
        said.append(process.stdout.read().strip())
    finally:
        process.kill()
        process.wait()


def drain(redis: Redis) -> float:
    """Waits until all queues are empty; returns the seconds that took."""
    began = time.monotonic()
    rings = [ring_key(e, lane) for e in (TAILOR, "fetcher", "null") for lane in Lane]
    while any(redis.llen(ring) for ring in rings):
        if time.monotonic() - began > DRAIN_S:
            break
        time.sleep(0.2)
    return time.monotonic() - began


def run(kinds: list[str], seconds: float, per_s: float) -> None:
    settings = {"PROTEUS_ALLOW_LOOPBACK_IMAGE_URLS": "1", "PROTEUS_MAX_QUEUE": "40"}
    with running_stack(PROTEUS_ENGINE="null", PROTEUS_NULL_CURVE=CURVE, **settings) as stack:
        env = environment_of(stack.demo["processes"]["steward"])
        *honest, hostile = open_shops(env, stack.server_url, [*HONEST, "mallory"])
        redis = Redis.from_url(env["REDIS_URL"])
        jpeg = PHOTO.read_bytes()  # as the flood's: honest and hostile differ in nothing else
        visitors = [Visitors(stack, m, n, jpeg) for n, m in enumerate(honest)]
        visit_all(visitors, 5, Marks())  # warm-up, not counted
        alone = Marks()
        visit_all(visitors, seconds, alone)
        beside: dict[str, tuple[Marks, str, float]] = {}
        for kind in kinds:
            marks = Marks()
            with flooded(_target(kind, stack, hostile, seconds, per_s)) as said:
                visit_all(visitors, seconds, marks)
            beside[kind] = marks, said[0], drain(redis)
            print(f"  {kind}: {said[0]}", file=sys.stderr, flush=True)
        visit_all(visitors, seconds, alone)
        redis.close()
    report(alone, beside)


def _target(
    kind: str, stack: RunningStack, hostile: Merchant, seconds: float, per_s: float
) -> Target:
    return Target(
        kind=kind,
        server_url=stack.server_url,
        publishable_key=hostile.shop.publishable_key,
        origin=hostile.shop.origin,
        secret_key=hostile.secret_key,
        garment_id=hostile.garment_id,
        photo=str(PHOTO),
        seconds=seconds,
        per_s=per_s,
    )


# --- the report ----------------------------------------------------------------------------------


def percentile(values: list[float], share: int) -> float:
    if len(values) < 2:
        return values[0] if values else float("nan")
    return quantiles(values, n=100, method="inclusive")[share - 1]


def report(alone: Marks, beside: dict[str, tuple[Marks, str, float]]) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d} · {platform.machine()}, {os.cpu_count()} cores")
    print("three honest shops beside one hostile; p50/p95 in ms, and p95 beside to p95 alone")
    print(f"{'':16}{'shoppers':>9}{'refused':>9}{'photo checked':>16}{'':8}{'picture':>14}")
    _row("alone", alone, alone, 0)
    for kind, (marks, _, drained_s) in beside.items():
        _row(kind, marks, alone, drained_s)
    print("what the flood was answered:")
    for kind, (_, said, _) in beside.items():
        print(f"  {kind}: {said}")
    for kind, (marks, _, _) in beside.items():
        if marks.refused:
            print(f"  refused beside {kind}: {dict(marks.refused)}")


def _row(name: str, marks: Marks, alone: Marks, drained_s: float) -> None:
    cells = ""
    for found, usual in ((marks.photo, alone.photo), (marks.picture, alone.picture)):
        p50, p95 = percentile(found, 50), percentile(found, 95)
        cells += f"{p50:>9.0f}/{p95:<6.0f}{p95 / percentile(usual, 95):>5.2f}x  "
    left = f"{drained_s:.0f} s to drain" if drained_s >= 1 else ""
    print(f"{name:16}{len(marks.picture):>9}{marks.refused.total():>9}{cells}{left}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.strangers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--seconds", type=float, default=40, help="of each flood")
    parser.add_argument("--per-s", type=float, default=20, help="of the flood's requests")
    args = parser.parse_args()
    run(args.only, args.seconds, args.per_s)


if __name__ == "__main__":
    main()
