"""A sandbox for work on untrusted bytes: warm child processes with limits of CPU, time and memory.

Knows processes and pipes. No pictures, no store, no jobs: the work itself is a module of the user.
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
