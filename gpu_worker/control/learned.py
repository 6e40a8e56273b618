"""The learned law: slots from a chain on measured curves, the best rung that meets the target,
and a word to those who had better come later. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from gpu_worker.contract import Mode, Policy
from gpu_worker.control.chain import best_slots
from gpu_worker.control.demand import Demand
from gpu_worker.control.fleet import Rung
from gpu_worker.control.view import Memory, Terms, View

DOWN, UP, SHED = 0.9, 0.7, 3.0  # shares of the target
BUSY = 0.75  # of what a worker can carry one by one


@dataclass(frozen=True, slots=True)
class Choice:
    """A rung by its place on the ladder, with its slots and what it promises."""

    index: int
    rung: Rung
    slots: int
    predicted_s: float


def learned(
    view: View, ladder: list[Rung], demand: Demand, memory: Memory, now: float, terms: Terms
) -> tuple[Policy, Memory]:
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
    """While more waits than can be drawn and most of it is bulk, which only wants to be drawn soon
    and gives way to live samples at every step: as many as draw the most."""
    if view.bulk_waiting > view.live_waiting and demand.per_s > max(rung.rates_per_s):
        return rung.quickest
    return best_slots(demand.per_s, rung.rates_per_s, before=before)


def _unlearned(view: View, terms: Terms) -> Policy:
    most = max((seen.max_slots for seen in view.workers), default=terms.batch_size)
    return Policy(batch_size=min(terms.batch_size, most), tier=terms.tiers[0].name)


def _climb(
    choices: list[Choice], memory: Memory, now: float, terms: Terms
) -> tuple[Choice, Memory]:
    """Down at once to the best rung that meets the target; up by one when that was easy for long
    enough."""
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
    """Where a picture alone takes nearly the target, an idle worker is ease enough: its best rung
    must not be lost for ever."""
    enough_s = min(max(UP * terms.target_s, choice.rung.at(1)), DOWN * terms.target_s)
    return choice.predicted_s <= enough_s


def mode_of(rung: Rung, demand: Demand) -> Mode:
    """Does one picture at a time carry it with ease, do slots, or does nothing?"""
    if demand.per_s > max(rung.rates_per_s):
        return Mode.SURGE
    return Mode.ECONOMY if demand.per_s > BUSY * rung.rates_per_s[0] else Mode.VIP


def _retry_after_s(view: View, last: Choice, terms: Terms) -> float:
    """Only while somebody waits: a prediction may rest on what was true once, and only a picture
    that is drawn corrects it. Who is sent away from an empty line would be sent away for ever."""
    if not view.live_waiting or last.predicted_s <= SHED * terms.target_s:
        return 0.0
    return float(ceil(last.predicted_s - terms.target_s))
