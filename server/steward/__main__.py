"""`python -m server.steward`: the process that runs the steward's loop.

It ends within a second of SIGTERM, even while it waits on a dependency. Events that it has read and
not yet acknowledged are read again by the next steward.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from datetime import UTC, datetime
from types import FrameType

from gpu_worker.contract import SettingsError
from server.config import Settings
from server.infra.log import configure
from server.infra.services import Services
from server.steward.steward import Steward

log = logging.getLogger("server.steward")

PATIENCE_S = 0.5  # from SIGTERM to a hard exit


def main() -> int:
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        sys.stderr.writelines(f"{line}\n" for line in error.lines)
        return 2
    configure(settings.log)
    ending = _Ending()
    services = Services.from_settings(settings)
    steward = Steward(services)
    log.info("steward %s settles", steward.name)
    while not ending.asked:
        time.sleep(steward.loop(datetime.now(UTC)))
    services.close()
    logging.shutdown()
    # Not `return 0`: the interpreter restores signal handlers first while it shuts down, and the
    # pending SIGALRM would then kill the process with a non-zero status.
    os._exit(0)


class _Ending:
    """Graceful shutdown on SIGTERM or SIGINT: sets `asked`, and after PATIENCE_S exits hard,
    because a turn may hang on a dead store."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)
        signal.signal(signal.SIGALRM, self._order)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)

    def _order(self, _signal: int, _frame: FrameType | None) -> None:
        os._exit(0)  # safe: an open transaction rolls back and its events are read again


if __name__ == "__main__":
    sys.exit(main())
