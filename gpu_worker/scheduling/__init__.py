"""Batch scheduling of one engine: `plan` (pure) chooses who runs next, `loop` runs it.

Knows no Redis and no store.
"""
