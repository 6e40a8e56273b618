"""How long the faults last that are a matter of time.

By default as long as it takes to show the same; with `FAULTS=long` as docs/faults.md tells them.
"""

from __future__ import annotations

import os

IS_LONG = os.environ.get("FAULTS") == "long"

SOAK_S = 90 if IS_LONG else 15  # of random kills
KILL_EVERY_S = (2.0, 7.0) if IS_LONG else (1.5, 4.5)  # at random between these
ASLEEP_S = 60 if IS_LONG else 12  # a phone: more than two pings of service, or of a hurried server
AWAY_S = 10 if IS_LONG else 4  # a database or a store: longer than the lease of 3 s
