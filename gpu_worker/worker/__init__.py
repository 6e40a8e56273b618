"""The batch worker: claims several jobs at once, runs them in one step loop, settles each alone.

The only room of `gpu_worker` that imports rq. Knows no engine and no database.
"""

from gpu_worker.worker.batch import EXIT_DEVICE_LOST, BatchWorker
from gpu_worker.worker.build import build_worker
from gpu_worker.worker.keeper import EXIT_HUNG

__all__ = ["EXIT_DEVICE_LOST", "EXIT_HUNG", "BatchWorker", "build_worker"]
