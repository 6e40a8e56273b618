"""Slots, lanes and tiers under load, in real time on a real Redis: `make bench-scheduling`."""
