"""The arbitrator, a controller process: reads each engine's load, applies the law, writes policies.

Knows Redis and the control law; no engine, no worker, no picture.
"""

from gpu_worker.arbitrator.loop import Arbitrator, run
from gpu_worker.arbitrator.override import clear_override, set_override

__all__ = ["Arbitrator", "clear_override", "run", "set_override"]
