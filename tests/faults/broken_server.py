"""A server that dies on purpose: `python -m tests.faults.broken_server enqueue`.

The real gunicorn with the real app; when it is to enqueue, everything ends with SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from gunicorn.app.wsgiapp import run


def die(*_args: Any, **_options: Any) -> None:
    os.killpg(os.getpgrp(), signal.SIGKILL)


def break_enqueue() -> None:
    from server.infra.jobs import Jobs

    Jobs.enqueue = die  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    break_enqueue()
    sys.argv = ["gunicorn", "-c", "server/gunicorn.py", "server.wsgi:app"]
    run()
