"""The server with a fault on purpose: `python -m tests.faults.broken_server <fault>`.

The real gunicorn and app, with one part replaced.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from gunicorn.app.wsgiapp import run

QUICK_PING_S = 3


def die(*_args: Any, **_options: Any) -> None:
    """Kills gunicorn with all its workers."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def dies_at_enqueue() -> None:
    """Dies when a try-on is committed and its job is to be enqueued."""
    from server.infra.jobs import Jobs

    Jobs.enqueue = die  # type: ignore[method-assign, assignment]


def pings_often() -> None:
    """Pings sockets more often: a test of clients that do not answer would take a minute."""
    from gevent import monkey

    monkey.patch_all()  # as server/gunicorn.py does, before anything that waits is imported
    from server.web.live import websocket

    websocket.PING_S = QUICK_PING_S


FAULTS: dict[str, Callable[[], None]] = {"enqueue": dies_at_enqueue, "pings often": pings_often}

if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
    sys.argv = ["gunicorn", "-c", "server/gunicorn.py", "server.wsgi:app"]
    run()
