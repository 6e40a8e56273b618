"""Speed and memory of CatVTON on this device: `python -m bench.engine` (`make bench-engine`)."""
