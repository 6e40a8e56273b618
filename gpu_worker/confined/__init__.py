"""Work on hostile bytes, done by warm child processes with limits of time, memory and reach.

Knows processes and pipes. No pictures, no store, no jobs: what a child does is a module of its own.
"""

from gpu_worker.confined.pool import (
    Answer,
    Limits,
    NoAnswerError,
    OverrunError,
    Pool,
    PoolClosedError,
    WorkFailedError,
)

__all__ = [
    "Answer",
    "Limits",
    "NoAnswerError",
    "OverrunError",
    "Pool",
    "PoolClosedError",
    "WorkFailedError",
]
