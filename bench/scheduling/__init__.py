"""Benchmark of scheduling: slots, lanes and tiers under load, with real processes and Redis
(`make bench-scheduling`)."""
