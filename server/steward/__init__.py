"""The one process that settles: reads the workers' events, changes rows, nudges, puts back what
Redis lost and lets go of what is due. `python -m server.steward`."""

import server.nouns  # noqa: F401 - fills the registry that all of it reads
