"""The one-command local stack: a process supervisor. It imports none of what it starts."""
