"""`python -m server.cli`: what an operator does by hand, and the demo's seed."""

import server.nouns  # noqa: F401 - fills the registry
