"""The control law: batch size, tier, load shedding and scale, from what is seen of an engine.

Pure functions; knows no Redis, no clock, no arrays. In a folder of its own, because arbitrator and
worker both apply it and may not import each other.
"""

from gpu_worker.control.chain import Load, best_slots, load
from gpu_worker.control.curve import Curve
from gpu_worker.control.decide import decide, remember
from gpu_worker.control.fleet import Rung, rungs
from gpu_worker.control.scale import wanted, wanted_workers
from gpu_worker.control.thresholds import slots_by_depth
from gpu_worker.control.view import Memory, Override, Seen, Terms, View

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
