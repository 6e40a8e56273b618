"""The steward, a reconciler process: applies workers' events to rows, sends nudges, enqueues jobs
that Redis lost, and deletes what has expired. Run by `python -m server.steward`."""

import server.nouns  # noqa: F401 - fills the registry that all of it reads
