"""Waiting for a condition. The deadline is for broken code: no machine is so slow."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

DEADLINE_S = 60.0


def wait_for(what: Callable[[], Any], within_s: float = DEADLINE_S) -> Any:
    """Waits until `what` is true and gives it back; fails at the deadline."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        value = what()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {within_s} s: {getattr(what, '__name__', what)}")
