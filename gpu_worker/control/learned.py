"""The learned law: slots from a queueing model on measured curves, the best tier that meets the
target, and load shedding when none does. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from gpu_worker.contract import Mode, Policy
from gpu_worker.control.chain import best_slots
from gpu_worker.control.demand import Demand
from gpu_worker.control.fleet import Rung
from gpu_worker.control.view import Memory, Terms, View

DOWN, UP, SHED = 0.9, 0.7, 3.0  # shares of the target
BUSY = 0.75  # share of a worker's throughput at one picture at a time, above which it needs slots


@dataclass(frozen=True, slots=True)
class Choice:
    """A rung by its index on the ladder, with the best slots for it and its predicted wait."""

    index: int
    rung: Rung
    slots: int
    predicted_s: float


def learned(
    view: View, ladder: list[Rung], demand: Demand, memory: Memory, now: float, terms: Terms
) -> tuple[Policy, Memory]:
    """The policy by the learned law, and the memory for the next call."""
    if not ladder[0].picture_s:
        return _unlearned(view, terms), replace(memory, rung=0, easy_since=None, slots=0)
    choices = []
    for index, rung in enumerate(ladder):
        slots = _slots(view, demand, rung, memory.slots)
        choices.append(Choice(index, rung, slots, demand.predicted_s(rung, slots)))
    choice, memory = _climb(choices, memory, now, terms)
    mode = Mode.DEGRADED if choice.index else mode_of(choice.rung, demand)
    policy = replace(
        demand.policy(choice.rung, choice.slots),
        mode=mode,
        retry_after_s=_retry_after_s(view, choices[-1], terms),
    )
    return policy, replace(memory, slots=choice.slots)


def _slots(view: View, demand: Demand, rung: Rung, before: int) -> int:
    """The best slots for waiting shoppers; those of the highest throughput while the load is more
    than can be drawn and most waiting jobs are bulk: live samples pre-empt bulk at every step."""
    if view.bulk_waiting > view.live_waiting and demand.per_s > max(rung.rates_per_s):
        return rung.quickest
    return best_slots(demand.per_s, rung.rates_per_s, before=before)


def _unlearned(view: View, terms: Terms) -> Policy:
    most = max((seen.max_slots for seen in view.workers), default=terms.batch_size)
    return Policy(batch_size=min(terms.batch_size, most), tier=terms.tiers[0].name)


def _climb(
    choices: list[Choice], memory: Memory, now: float, terms: Terms
) -> tuple[Choice, Memory]:
    """Hysteresis: down at once to the best rung that meets the target; up by one rung when that one
    has been easy for `ease_s`."""
    rung = min(memory.rung, len(choices) - 1)
    fits = [choice.index for choice in choices if choice.predicted_s <= DOWN * terms.target_s]
    needed = min(fits, default=len(choices) - 1)
    if needed > rung:
        return choices[needed], replace(memory, rung=needed, easy_since=None)
    if rung == 0 or not _is_easy(choices[rung - 1], terms):
        return choices[rung], replace(memory, rung=rung, easy_since=None)
    since = now if memory.easy_since is None else memory.easy_since
    if now - since < terms.ease_s:
        return choices[rung], replace(memory, rung=rung, easy_since=since)
    return choices[rung - 1], replace(memory, rung=rung - 1, easy_since=now)


def _is_easy(choice: Choice, terms: Terms) -> bool:
    """Whether the prediction is far enough below the target.

    If one picture alone takes longer than that, it is enough that the worker is idle: otherwise the
    best rung could never be reached again.
    """
    enough_s = min(max(UP * terms.target_s, choice.rung.at(1)), DOWN * terms.target_s)
    return choice.predicted_s <= enough_s


def mode_of(rung: Rung, demand: Demand) -> Mode:
    """`vip` if one picture at a time carries the load with ease, `economy` if slots do, `surge` if
    nothing does."""
    if demand.per_s > max(rung.rates_per_s):
        return Mode.SURGE
    return Mode.ECONOMY if demand.per_s > BUSY * rung.rates_per_s[0] else Mode.VIP


def _retry_after_s(view: View, last: Choice, terms: Terms) -> float:
    """Load shedding: seconds after which to come back, 0: come now.

    Never while no shopper waits. The prediction may rest on an old curve that only a drawn picture
    corrects: refused at an empty queue, everybody would be refused for ever.
    """
    if not view.live_waiting or last.predicted_s <= SHED * terms.target_s:
        return 0.0
    return float(ceil(last.predicted_s - terms.target_s))
