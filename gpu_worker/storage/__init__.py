"""The object store, and what carries a try-on's pictures between it and an engine."""
