"""Waiting for a condition. Only broken code reaches the deadline: no machine is so slow."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

DEADLINE_S = 60.0


def wait_for(what: Callable[[], Any], within_s: float = DEADLINE_S) -> Any:
    """Polls `what` until its value is true and returns that.

    Raises:
        AssertionError: it was not within `within_s`.
    """
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        value = what()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {within_s} s: {getattr(what, '__name__', what)}")
