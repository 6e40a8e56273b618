"""`python -m server.cli`: commands for operators, and the demo's seed."""

import server.nouns  # noqa: F401 - fills the registry
