"""The arbitrator: one small process that tells every engine's workers how to draw.

Looks, asks the law, writes. Knows Redis and the law; no engine, no worker, no picture.
"""

from gpu_worker.arbitrator.loop import Arbitrator, run
from gpu_worker.arbitrator.override import clear_override, set_override

__all__ = ["Arbitrator", "clear_override", "run", "set_override"]
