"""An operator's override of either law. Pure."""

from __future__ import annotations

from dataclasses import replace

from gpu_worker.contract import Law, Mode, Policy
from gpu_worker.control.demand import Demand
from gpu_worker.control.fleet import Rung
from gpu_worker.control.view import Override


def held_fast(asked: Override, policy: Policy, ladder: list[Rung], demand: Demand) -> Policy:
    """The policy with the operator's numbers in place of the law's.

    A mode also sets what the operator left open: `vip` one slot, `surge` the slots with the highest
    throughput, `degraded` the last tier.
    """
    rung = _rung(asked, policy, ladder)
    slots = asked.batch_size or _slots(asked.mode, rung) or policy.batch_size
    return replace(
        demand.policy(rung, slots),
        mode=asked.mode or policy.mode,
        law=Law.OVERRIDE,
        retry_after_s=policy.retry_after_s,
    )


def _rung(asked: Override, policy: Policy, ladder: list[Rung]) -> Rung:
    if asked.tier is None and asked.mode is Mode.DEGRADED:
        return ladder[-1]
    by_name = {rung.tier.name: rung for rung in ladder}
    chosen = by_name.get(policy.tier, ladder[0])
    return by_name.get(asked.tier, chosen) if asked.tier else chosen


def _slots(mode: Mode | None, rung: Rung) -> int | None:
    if mode is Mode.VIP:
        return 1
    if mode is Mode.SURGE and rung.picture_s:
        return rung.quickest
    return None
