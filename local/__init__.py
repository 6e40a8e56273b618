"""The one-command local stack: our own supervisor. It starts processes and imports none of them."""
