"""The law by which batches get their size and pictures their tier: pure, one for arbitrator and
worker, who may not know each other. No Redis, no clock, no arrays; the contract and arithmetic.
"""

from gpu_worker.law.chain import Load, best_slots, load
from gpu_worker.law.curve import Curve
from gpu_worker.law.decide import decide, remember
from gpu_worker.law.fleet import Rung, rungs
from gpu_worker.law.scale import wanted, wanted_workers
from gpu_worker.law.thresholds import slots_by_depth
from gpu_worker.law.view import Memory, Override, Seen, Terms, View

__all__ = [
    "Curve",
    "Load",
    "Memory",
    "Override",
    "Rung",
    "Seen",
    "Terms",
    "View",
    "best_slots",
    "decide",
    "load",
    "remember",
    "rungs",
    "slots_by_depth",
    "wanted",
    "wanted_workers",
]
