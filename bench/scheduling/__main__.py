"""`python -m bench.scheduling`: plays the scenarios and says which aims are met."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

from bench.scheduling.profiles import PROFILES
from bench.scheduling.scenarios import FULL_SIZE, QUICK, SCENARIOS, Size, Verdict, solo

Scenario = Callable[[Size], list[Verdict]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scheduling", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="only show that everything runs, all at once"
    )
    parser.add_argument("--only", choices=sorted(SCENARIOS), action="append")
    parser.add_argument(
        "--profile", choices=sorted(PROFILES), default="A", help="of the first three"
    )
    asked = parser.parse_args()
    began = time.monotonic()
    _open()
    if not asked.quick:
        _tell_profiles()
    size = replace(QUICK if asked.quick else FULL_SIZE, profile=asked.profile)
    played = [scenario for name, scenario in SCENARIOS.items() if name in (asked.only or SCENARIOS)]
    found = _all_at_once(played, size) if asked.quick else (scenario(size) for scenario in played)
    verdicts = [verdict for verdicts in found for verdict in verdicts]
    _close(verdicts, time.monotonic() - began)
    return 0


def _all_at_once(played: Sequence[Scenario], size: Size) -> list[list[Verdict]]:
    with ThreadPoolExecutor(len(played)) as pool:
        return list(pool.map(lambda scenario: scenario(size), played))


def _open() -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d} · {platform.machine()}, {os.cpu_count()} cores")
    print(f"load average at the start {os.getloadavg()[0]:.1f}; seconds are the device's")


def _tell_profiles() -> None:
    for profile in PROFILES.values():
        print(
            f"profile {profile.name}: a picture alone {profile.picture_s():.2f} s,"
            f" played {profile.hurry:g} times as fast;"
            f" with worker, queue and this machine {solo(profile):.2f}x that",
            flush=True,
        )


def _close(verdicts: list[Verdict], wall_s: float) -> None:
    print("\naims")
    for verdict in verdicts:
        print(f"{'met ' if verdict.is_met else 'MISS'} {verdict.value:7.2f}  {verdict.aim}")
    print(f"{wall_s:.0f} s in all, load average at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    sys.exit(main())
