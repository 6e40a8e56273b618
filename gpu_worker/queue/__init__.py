"""The worker's use of Redis: leases on jobs, events, and snapshots of queues and workers.

Knows no picture and no engine.
"""
