"""Runs a module under libfaketime: `python -m tests.faults.other_clock gpu_worker work null`.

libfaketime 0.9.10 refuses the system call by which Python sleeps, so that it sleeps by another.
"""

from __future__ import annotations

import runpy
import select
import sys
import time
from typing import Any


def sleep(seconds: Any) -> None:
    select.select([], [], [], seconds)


if __name__ == "__main__":
    time.sleep = sleep
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
