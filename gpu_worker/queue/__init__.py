"""What the worker's processes say to Redis: leases, events, and what is seen of the line.

Knows no picture and no engine.
"""
