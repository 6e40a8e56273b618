"""`python -m server.cli`: what an operator does by hand, and the demo's seed."""
