"""The four scenarios: what arrives, which ways of scheduling are compared, and the aims."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import fmean, median, quantiles

from bench.scheduling.processes import Task
from bench.scheduling.profiles import PROFILES, Profile
from bench.scheduling.stage import (
    LEARNED,
    PRIORITIES,
    THRESHOLDS,
    Arrival,
    Done,
    Way,
    fixed,
    run,
)
from gpu_worker.contract import LADDER, Lane

Results = dict[str, list[Done]]
TOGETHER = 6
# Arrivals in the time of one picture alone at full quality: of shoppers beside a lookbook, and of
# each quiet merchant.
LIVE, QUIET = 0.1575, 0.063


@dataclass(frozen=True, slots=True)
class Verdict:
    """One aim, the measured ratio, and whether it is within the bound."""

    aim: str
    value: float
    is_met: bool


@dataclass(frozen=True, slots=True)
class Size:
    """How large each scenario is; `QUICK` only shows that everything works. `profile`: the device
    of the scenarios that use one."""

    lookbook: int
    overload_s: float
    flood: int
    slots_jobs: int
    ways: int | None = None
    settings: int | None = None
    rehearsed: tuple[int, ...] = (1, 2, 4, 8)
    profile: str = "A"

    def task(self, profile: str, target_s: float = 10.0, tiers: str = "best") -> Task:
        return Task(
            url="", profile=profile, target_s=target_s, tiers=tiers, rehearsed=self.rehearsed
        )


FULL_SIZE = Size(lookbook=300, overload_s=600, flood=100, slots_jobs=120)
QUICK = Size(lookbook=8, overload_s=20, flood=8, slots_jobs=6, ways=2, settings=1, rehearsed=(1, 2))


def poisson(
    rate_per_s: float, seconds: float, seed: int, lane: Lane = Lane.LIVE, merchant: str = "mer_all"
) -> list[Arrival]:
    dice, at, arrivals = random.Random(seed), 0.0, []
    while (at := at + dice.expovariate(rate_per_s)) < seconds:
        arrivals.append(Arrival(at, lane, merchant))
    return arrivals


def meet(
    ways: Sequence[Way], task: Task, arrivals: Sequence[Arrival], stop_after_bulk: bool = False
) -> Results:
    """Plays the same arrivals to every way; several at the same time, so that noise of the machine
    affects them alike."""
    with ThreadPoolExecutor(TOGETHER) as pool:
        runs = [pool.submit(run, way, task, arrivals, stop_after_bulk) for way in ways]
        return {way.name: done.result() for way, done in zip(ways, runs, strict=True)}


def p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[18] if len(values) > 1 else max(values)


def took(done: Sequence[Done], accept: Callable[[Arrival], bool] = lambda _: True) -> list[float]:
    return [one.took_s for one in done if accept(one.arrival)]


def is_live(arrival: Arrival) -> bool:
    return arrival.lane is Lane.LIVE


# --- a lookbook in the background ----------------------------------------------------------------


def lookbook(size: Size) -> list[Verdict]:
    """How long shoppers wait, and what is drawn in all, while bulk jobs fill the slots."""
    profile = PROFILES[size.profile]
    rate = LIVE / profile.picture_s()
    live = poisson(rate, 4 * size.lookbook * profile.picture_s(), seed=1)
    bulk = [Arrival(0.0, Lane.BULK, "mer_bulk")] * size.lookbook
    ways = [LEARNED, PRIORITIES, THRESHOLDS, fixed(1), fixed(4), fixed(8)]
    ways = ways[: size.ways]
    found = meet(ways, size.task(profile.name), [*bulk, *live], stop_after_bulk=True)
    rates = {name: _rate_per_s(done) for name, done in found.items()}
    waits = {name: took(done, is_live) for name, done in found.items()}
    print(
        f"\n1. Live while a lookbook of {size.lookbook} runs:"
        f" profile {profile.name}, {rate:.2f} live a second"
    )
    print(f"{'':30} {'live p50':>9} {'live p95':>9} {'pictures/s':>11}")
    for name in found:
        print(
            f"{name:30} {median(waits[name]):7.1f} s {p95(waits[name]):7.1f} s {rates[name]:11.3f}"
        )
    base = PRIORITIES.name
    quicker = p95(waits["learned"]) / p95(waits[base])
    kept = rates["learned"] / rates[base]
    return [
        Verdict("live p95 / thresholds + RQ priorities <= 0.33", quicker, quicker <= 1 / 3),
        Verdict("pictures/s / thresholds + RQ priorities >= 0.95", kept, kept >= 0.95),
    ]


def _rate_per_s(done: Sequence[Done]) -> float:
    """Pictures a second, until the last bulk job was done."""
    over = max(one.ended_at for one in done if not is_live(one.arrival))
    return sum(one.ended_at <= over for one in done) / over


# --- more than can be drawn ----------------------------------------------------------------------


def overload(size: Size) -> list[Verdict]:
    """How many pictures come in time if more jobs arrive than can be drawn at full quality."""
    profile = PROFILES[size.profile]
    target_s = 3 * profile.picture_s()
    rate = 1.2 * profile.most_per_s
    arrivals = poisson(rate, size.overload_s, seed=2)
    killed = replace(LEARNED, name="learned, arbitrator killed", killed_at=size.overload_s / 3)
    ways = [LEARNED, killed, THRESHOLDS][: size.ways]
    found = meet(ways, size.task(profile.name, target_s, tiers="all"), arrivals)
    share = {n: fmean(one.took_s <= target_s for one in done) for n, done in found.items()}
    print(
        f"\n2. Load 1.2, target {target_s:.2f} s: profile {profile.name}, {len(arrivals)} live jobs"
    )
    print(f"{'':30} {'in time':>8} {'p50':>7} {'p95':>8}   pictures by tier")
    for name, done in found.items():
        tiers = ", ".join(
            f"{tier.name} {count / len(done):.0%}"
            for tier in LADDER
            if (count := sum(one.tier == tier.name for one in done))
        )
        times = took(done)
        print(f"{name:30} {share[name]:8.1%} {median(times):5.1f} s {p95(times):6.1f} s   {tiers}")
    points = 100 * (share["learned"] - share[killed.name])
    return [
        Verdict("share in time >= 0.90", share["learned"], share["learned"] >= 0.90),
        Verdict("arbitrator killed: points lost <= 2", points, points <= 2),
    ]


# --- one merchant floods -------------------------------------------------------------------------


def flood(size: Size) -> list[Verdict]:
    """How long merchants with few jobs wait while another one has very many."""
    profile = PROFILES[size.profile]
    lasts_s = size.flood * profile.picture_s()
    quiet = [
        arrival
        for n in range(4)
        for arrival in poisson(
            QUIET / profile.picture_s(), 0.9 * lasts_s, seed=10 + n, merchant=f"mer_quiet_{n}"
        )
    ]
    arrivals = [*([Arrival(0.0, merchant="mer_flood")] * size.flood), *quiet]
    one_line = replace(LEARNED, name="first come, first served", one_line=True)
    found = meet([LEARNED, one_line], size.task(profile.name), arrivals)
    print(
        f"\n3. One merchant floods with {size.flood} live jobs, four are quiet:"
        f" profile {profile.name}"
    )
    print(f"{'':30} {'quiet p50':>9} {'quiet p95':>9} {'all p95':>9}")
    waits = {n: took(d, lambda a: a.merchant != "mer_flood") for n, d in found.items()}
    for name, done in found.items():
        mine = waits[name]
        print(f"{name:30} {median(mine):7.1f} s {p95(mine):7.1f} s {p95(took(done)):7.1f} s")
    ratio = p95(waits["learned"]) / p95(waits[one_line.name])
    return [Verdict("quiet p95 / first come, first served <= 0.33", ratio, ratio <= 1 / 3)]


# --- slots ---------------------------------------------------------------------------------------

SETTINGS = [("C", 0.8), ("C", 0.3), ("B", 0.8), ("B", 0.35), ("A", 0.6)]


def slots(size: Size) -> list[Verdict]:
    """Slots of the learned law against fixed ones. Loads are relative to the best throughput."""
    ways = [LEARNED, fixed(1), fixed(4), fixed(8), THRESHOLDS][: size.ways]
    print(f"\n4. Slots: {size.slots_jobs} live jobs, mean seconds to a picture")
    print(f"{'':14} " + " ".join(f"{way.name:>10}" for way in ways) + "   learned / best fixed")
    worst = 0.0
    for name, load in SETTINGS[: size.settings]:
        profile = PROFILES[name]
        rate = load * profile.most_per_s
        arrivals = poisson(rate, size.slots_jobs / rate, seed=20)
        found = meet(ways, size.task(name), arrivals)
        means = {way: fmean(took(done)) for way, done in found.items()}
        best = min(means[way.name] for way in ways if way.slots is not None)
        worst = max(worst, means["learned"] / best)
        cells = " ".join(f"{means[way.name]:8.2f} s" for way in ways)
        print(f"{name} at load {load:<4} {cells}   {means['learned'] / best:.2f}x", flush=True)
    return [Verdict("learned / best fixed <= 1.10, at worst", worst, worst <= 1.10)]


SCENARIOS: dict[str, Callable[[Size], list[Verdict]]] = {
    "lookbook": lookbook,
    "overload": overload,
    "flood": flood,
    "slots": slots,
}


def solo(profile: Profile) -> float:
    """The benchmark's own overhead: time of a lone picture by the profile's own time."""
    alone = [Arrival(8.0 * n) for n in range(6)]
    done = run(fixed(1), FULL_SIZE.task(profile.name), alone)
    return median(took(done)) / profile.picture_s()
