"""The object store, and the adapter that moves a try-on's pictures between it and an engine."""
