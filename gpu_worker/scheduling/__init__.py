"""Which sample runs at the next step (`plan`, pure), and the loop that runs it.

Knows no Redis and no pixels.
"""
