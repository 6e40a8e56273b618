"""What CatVTON costs on the device at hand: `python -m bench.engine` (`make bench-engine`)."""
