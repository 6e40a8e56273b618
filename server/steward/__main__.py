"""`python -m server.steward`: the process around the steward's turns. Ends within a second of
SIGTERM, whatever it waits for: what it read and did not settle is read again by the next one."""

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

PATIENCE_S = 0.5


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
    # An interpreter that ends gives our handlers back first, and the order would then kill it.
    os._exit(0)


class _Ending:
    """A polite request, and a moment later an order: a turn may hang on a dead store."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)
        signal.signal(signal.SIGALRM, self._order)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)

    def _order(self, _signal: int, _frame: FrameType | None) -> None:
        os._exit(0)  # nothing is lost: what was begun was not committed


if __name__ == "__main__":
    sys.exit(main())
